/** What every activity has in common: how its failures reach Temporal. */
import { log } from '@temporalio/activity';
import { patienceWith, unexpected } from './failures.ts';

interface FailedActivity {
  readonly activity: string;
  readonly input: unknown;
  /** As Temporal sees it: no free text. */
  readonly failure: Error;
  readonly error: unknown;
}

/**
 * The same activities, which pass only the kind of an unexpected fault to Temporal (G8) and log the
 * rest. `onFailure` is called before a failure is passed on, and must not reject.
 */
export function guarded<T extends object>(
  activities: T,
  onFailure: (failed: FailedActivity) => Promise<void> = () => Promise.resolve(),
): T {
  const wrapped = Object.entries(activities).map(([activity, work]) => [
    activity,
    async (...args: readonly unknown[]): Promise<unknown> => {
      try {
        return await work(...args);
      } catch (error) {
        const failure = unexpected(activity, error);
        logFailure(activity, failure, error);
        await onFailure({ activity, input: args[0], failure, error });
        throw failure;
      }
    },
  ]);
  return Object.fromEntries(wrapped);
}

/** What is no outage ends with a person's decision: a warning. A failure we built says all in its message. */
function logFailure(activity: string, failure: Error, error: unknown): void {
  if (patienceWith(failure) === 'brief') log.warn('activity failed', { activity, error });
  else if (failure !== error) log.debug('activity failed', { activity, error });
}
