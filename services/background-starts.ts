/**
 * Starts workflows in the background, after the response. Best effort and bounded: a start that is
 * skipped, fails or dies with the process is repeated: of a checkout or refund from the event log, of a job or
 * reconciliation by recovery.
 */
import type { Logger } from 'pino';

export interface BackgroundStarts {
  /** Returns immediately and never throws. `about` is logged on failure. */
  begin(work: () => Promise<unknown>, about: Readonly<Record<string, string>>): void;
  /** Resolves when all pending starts have finished. */
  drain(): Promise<void>;
}

/** More concurrent starts would only queue. The others are started within seconds. */
const MAX_PENDING = 200;

export function createBackgroundStarts({ log }: { readonly log: Logger }): BackgroundStarts {
  const pending = new Set<Promise<void>>();
  return {
    begin(work, about) {
      if (pending.size >= MAX_PENDING) return;
      const start = work()
        .then(() => undefined)
        .catch((error: unknown) => {
          log.warn({ err: error, ...about }, 'workflow not started yet');
        })
        .finally(() => pending.delete(start));
      pending.add(start);
    },
    async drain() {
      await Promise.all(pending);
    },
  };
}
