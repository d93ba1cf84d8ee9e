/** Updates that the server drops, and how they are sent again. */
import { setTimeout } from 'node:timers/promises';
import { hasGrpcCode } from './deadline.ts';

const UPDATE_ATTEMPTS = 4;
const UPDATE_RETRY_MS = 150;

/**
 * Sends an update again when the server dropped it: an event that comes while a workflow's last task
 * runs makes the server fail that task (UnhandledCommand) and forget the updates it carried, and so
 * does any other task that fails. Throws what the last of four attempts threw.
 */
export async function retryDroppedUpdate<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (attempt === UPDATE_ATTEMPTS || !isUpdateDropped(error)) throw error;
      await setTimeout(UPDATE_RETRY_MS * attempt);
    }
  }
}

/** gRPC FAILED_PRECONDITION: what the server's WorkflowNotReady arrives as. */
export function isUpdateDropped(error: unknown): boolean {
  return hasGrpcCode(error, [9]);
}
