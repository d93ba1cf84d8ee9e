/**
 * Workflow starts under way after their answers went out. Bounded: what is not begun here, fails, or
 * dies with the process is started from the event log.
 */
import type { Logger } from 'pino';

export interface BackgroundStarts {
  /** Begins the work and returns at once. Never throws. `about` is logged when it fails. */
  begin(work: () => Promise<unknown>, about: Readonly<Record<string, string>>): void;
  /** Resolves when no start is under way any more. */
  drain(): Promise<void>;
}

/** Beyond this many at once a start would only queue; the event log brings the rest within seconds. */
const MAX_UNDER_WAY = 200;

export function createBackgroundStarts({ log }: { readonly log: Logger }): BackgroundStarts {
  const underWay = new Set<Promise<void>>();
  return {
    begin(work, about) {
      if (underWay.size >= MAX_UNDER_WAY) return;
      const start = work()
        .then(() => undefined)
        .catch((error: unknown) => {
          log.warn({ err: error, ...about }, 'workflow not started yet');
        })
        .finally(() => underWay.delete(start));
      underWay.add(start);
    },
    async drain() {
      await Promise.all(underWay);
    },
  };
}
