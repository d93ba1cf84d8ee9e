/** Resends updates that the server dropped. */
import { handleWhen, IterableBackoff, retry } from 'cockatiel';
import { hasGrpcCode } from './deadline.ts';

const RETRY_DELAYS_MS = [150, 300, 450];
const FAILED_PRECONDITION = 9;

const retryDropped = retry(handleWhen(isUpdateDropped), {
  maxAttempts: RETRY_DELAYS_MS.length,
  backoff: new IterableBackoff(RETRY_DELAYS_MS),
});

/**
 * Resends an update that the server dropped. When an event arrives during a workflow's last task, the
 * server fails that task (UnhandledCommand) and drops the updates in it; any other failed task drops
 * them too. Throws the error of the fourth attempt.
 */
export function retryDroppedUpdate<T>(send: () => Promise<T>): Promise<T> {
  return retryDropped.execute(send);
}

/** The server reports WorkflowNotReady with this code. */
export function isUpdateDropped(error: unknown): boolean {
  return hasGrpcCode(error, [FAILED_PRECONDITION]);
}
