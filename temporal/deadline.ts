/**
 * Asks Temporal something with a deadline. A Temporal that is away is an answer (null), never an
 * exception; anything else that goes wrong is thrown as it is.
 */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';

/** Runs a call with a deadline. Null: Temporal is not there, or did not answer in time. */
export type TemporalDeadline = <T>(
  deadlineMs: number,
  call: (client: Client) => Promise<T>,
) => Promise<T | null>;

/** `client` is null while there is no connection yet. */
export function createTemporalDeadline(currentClient: () => Client | null): TemporalDeadline {
  return async (deadlineMs, call) => {
    const client = currentClient();
    if (client === null) return null;
    const asked = client.withDeadline(Date.now() + deadlineMs, () => call(client));
    try {
      return await withTimeout(asked, deadlineMs + BEYOND_DEADLINE_MS);
    } catch (error) {
      if (isUnavailable(error)) return null;
      throw error;
    }
  };
}

/** The SDK repeats a call on a broken line beyond the deadline; nobody waits for that. */
async function withTimeout<T>(asked: Promise<T>, withinMs: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, withinMs, null);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
    // What it comes to in the end is found out by whoever asks again.
    asked.catch(() => undefined);
  }
}

/** An answer at the deadline itself is still under way to us. */
const BEYOND_DEADLINE_MS = 500;
/** gRPC codes of a server that is away, overloaded or too slow: 1, 4, 8, 10, 14. */
const UNAVAILABLE_CODES: readonly unknown[] = [1, 4, 8, 10, 14];
const UNKNOWN = 2;
/** Causes are nested a few levels deep; a cycle must not hang us. */
const MAX_DEPTH = 5;

function isUnavailable(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return false;
  return hasGrpcCode(error, UNAVAILABLE_CODES) || hasCause(error, isConnectionBroken);
}

/** A connection that breaks within a call has no code of its own: "unknown", and this text. */
function isConnectionBroken(cause: Error): boolean {
  return 'code' in cause && cause.code === UNKNOWN && cause.message.includes('transport error');
}

/** False when a workflow of that id runs already, or has finished. */
export async function ignoreAlreadyStarted(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

/** True when the error, or what caused it, carries one of the gRPC status codes. */
export function hasGrpcCode(error: unknown, codes: readonly unknown[]): boolean {
  return hasCause(error, (cause) => 'code' in cause && codes.includes(cause.code));
}

function hasCause(error: unknown, matches: (cause: Error) => boolean): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth += 1) {
    if (matches(current)) return true;
    current = current.cause;
  }
  return false;
}
