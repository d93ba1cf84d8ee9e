/**
 * Records webhook attempts while others are still being sent: one statement for all attempts that
 * ended during the statement before. The caller waits for `written` before it counts the events as
 * delivered, so attempts that a crash loses belong to events that are delivered again.
 */
import type { Database } from '../../../prisma/client/client.ts';
import { recordAttempts, type NewAttempt } from '../../../prisma/events/webhook-attempts.ts';

export interface AttemptLog {
  add(attempt: NewAttempt): void;
  /** Resolves once every attempt is recorded; rejects when one could not be. */
  written(): Promise<void>;
}

export function createAttemptLog(db: Database, endpointId: string): AttemptLog {
  let waiting: NewAttempt[] = [];
  let writing: Promise<void> | null = null;
  let failure: { readonly error: unknown } | null = null;
  const write = async (): Promise<void> => {
    try {
      while (waiting.length > 0) {
        const taken = waiting;
        waiting = [];
        await recordAttempts(db, endpointId, taken);
      }
    } catch (error) {
      failure = { error };
    } finally {
      writing = null;
    }
  };
  return {
    add(attempt) {
      waiting.push(attempt);
      writing ??= write();
    },
    async written() {
      await writing;
      if (failure) throw failure.error;
    },
  };
}
