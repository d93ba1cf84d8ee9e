/**
 * Asks Temporal something with a deadline. A Temporal that is away is an answer (null), never an
 * exception; anything else that goes wrong is thrown as it is.
 */
import { WorkflowUpdateRPCTimeoutOrCancelledError, type Client } from '@temporalio/client';

/** Runs a call with a deadline. Null: Temporal is not there, or did not answer in time. */
export type AskTemporal = <T>(
  deadlineMs: number,
  call: (client: Client) => Promise<T>,
) => Promise<T | null>;

/** `client` is null while there is no connection yet. */
export function createAskTemporal(currentClient: () => Client | null): AskTemporal {
  return async (deadlineMs, call) => {
    const client = currentClient();
    if (client === null) return null;
    try {
      return await client.withDeadline(Date.now() + deadlineMs, () => call(client));
    } catch (error) {
      if (isAway(error)) return null;
      throw error;
    }
  };
}

/** gRPC codes of a server that is away, overloaded or too slow: 1, 4, 8, 10, 14. */
const AWAY_CODES: readonly unknown[] = [1, 4, 8, 10, 14];
/** Causes are nested a few levels deep; a cycle must not hang us. */
const MAX_DEPTH = 5;

function isAway(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return false;
  return hasGrpcCode(error, AWAY_CODES);
}

/** True when the error, or what caused it, carries one of the gRPC status codes. */
export function hasGrpcCode(error: unknown, codes: readonly unknown[]): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth += 1) {
    if ('code' in current && codes.includes(current.code)) return true;
    current = current.cause;
  }
  return false;
}
