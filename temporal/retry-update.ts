/** Resends updates that the server dropped. */
import { setTimeout } from 'node:timers/promises';
import { hasGrpcCode } from './deadline.ts';

const UPDATE_ATTEMPTS = 4;
const UPDATE_RETRY_MS = 150;
const FAILED_PRECONDITION = 9;

/**
 * Resends an update that the server dropped. When an event arrives during a workflow's last task, the
 * server fails that task (UnhandledCommand) and drops the updates in it; any other failed task drops
 * them too. Throws the error of the fourth attempt.
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

/** The server reports WorkflowNotReady with this code. */
export function isUpdateDropped(error: unknown): boolean {
  return hasGrpcCode(error, [FAILED_PRECONDITION]);
}
