/**
 * Writes down what came of webhooks while others are on their way: one statement for all that ended
 * during the one before. Its owner waits for `written` before it takes the events for delivered; what
 * a crash loses belongs to events that are delivered again.
 */
import type { Database } from '../../../prisma/client/client.ts';
import { recordAttempts, type NewAttempt } from '../../../prisma/events/webhook-attempts.ts';

export interface AttemptLog {
  add(attempt: NewAttempt): void;
  /** Resolves once all is written; rejects when something could not be. */
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
