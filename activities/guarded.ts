/** What every activity has in common: how its failures reach Temporal. */
import { log } from '@temporalio/activity';
import { retryClassOfFailure, unexpected } from './failures.ts';

interface Attempt {
  readonly activity: string;
  readonly input: unknown;
}

interface FailedAttempt extends Attempt {
  /** As Temporal sees it: no free text. */
  readonly failure: Error;
  readonly error: unknown;
  /** How long the attempt took, in ms. */
  readonly tookMs: number;
}

interface Watcher {
  /** Called before a success is passed on. A rejection makes it a failure, which is retried. */
  onSuccess(attempt: Attempt): Promise<void>;
  /** Called before a failure is passed on. Must not reject. */
  onFailure(attempt: FailedAttempt): Promise<void>;
}

const NO_WATCHER: Watcher = {
  onSuccess: () => Promise.resolve(),
  onFailure: () => Promise.resolve(),
};

/** The same activities, which pass only the kind of an unexpected fault to Temporal and log the rest. */
export function guarded<T extends object>(activities: T, watcher: Watcher = NO_WATCHER): T {
  const wrapped = Object.entries(activities).map(([activity, work]) => [
    activity,
    async (...args: readonly unknown[]): Promise<unknown> => {
      const attempt = { activity, input: args[0] };
      const startedAtMs = performance.now();
      try {
        const result: unknown = await work(...args);
        await watcher.onSuccess(attempt);
        return result;
      } catch (error) {
        const failure = unexpected(activity, error);
        logFailure(activity, failure, error);
        const tookMs = performance.now() - startedAtMs;
        await watcher.onFailure({ ...attempt, failure, error, tookMs });
        throw failure;
      }
    },
  ]);
  return Object.fromEntries(wrapped);
}

/** What is no outage ends with a person's decision: a warning. A failure we built says all in its message. */
function logFailure(activity: string, failure: Error, error: unknown): void {
  if (retryClassOfFailure(failure) === 'brief') log.warn('activity failed', { activity, error });
  else if (failure !== error) log.debug('activity failed', { activity, error });
}
