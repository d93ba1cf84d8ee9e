/**
 * Calls to Temporal with a deadline. An unreachable or slow server is a value (`unavailable`), because
 * the API serves without Temporal (G4). Every other error is thrown.
 */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { TaskCancelledError, timeout, TimeoutStrategy } from 'cockatiel';

export interface Unavailable {
  readonly kind: 'unavailable';
}

export type TemporalDeadline = <T>(
  deadlineMs: number,
  call: (client: Client) => Promise<T>,
) => Promise<T | Unavailable>;

/** `currentClient` returns null until the first connection. */
export function createTemporalDeadline(currentClient: () => Client | null): TemporalDeadline {
  return async (deadlineMs, call) => {
    const client = currentClient();
    if (client === null) return UNAVAILABLE;
    // Beyond its deadline the SDK still retries a call on a broken connection.
    const limit = timeout(deadlineMs + GRACE_MS, TimeoutStrategy.Aggressive);
    try {
      return await limit.execute(() =>
        client.withDeadline(Date.now() + deadlineMs, () => call(client)),
      );
    } catch (error) {
      if (error instanceof TaskCancelledError || isUnavailable(error)) return UNAVAILABLE;
      throw error;
    }
  };
}

/** For callers that Temporal retries, such as activities: throws when the outcome is `unavailable`. */
export async function requireAvailable(outcome: Promise<{ readonly kind: string }>): Promise<void> {
  if ((await outcome).kind === 'unavailable') throw new Error('Temporal is unavailable');
}

/** False when a workflow with that id is running or, depending on its reuse policy, has finished. */
export async function ignoreAlreadyStarted(start: Promise<unknown>): Promise<boolean> {
  try {
    await start;
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

/** True when the error, or one of its causes, has one of these gRPC status codes. */
export function hasGrpcCode(error: unknown, codes: readonly unknown[]): boolean {
  return hasCause(error, (cause) => 'code' in cause && codes.includes(cause.code));
}

const UNAVAILABLE: Unavailable = { kind: 'unavailable' };
/** A response sent right at the deadline still has to reach us. */
const GRACE_MS = 500;
/** CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE. */
const UNAVAILABLE_CODES: readonly unknown[] = [1, 4, 8, 10, 14];
const UNKNOWN = 2;
/** Causes are nested a few levels deep. The limit guards against a cycle. */
const MAX_DEPTH = 5;

function isUnavailable(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return false;
  return hasGrpcCode(error, UNAVAILABLE_CODES) || hasCause(error, isConnectionBroken);
}

/** A connection that breaks during a call has only the code UNKNOWN and this message. */
function isConnectionBroken(cause: Error): boolean {
  return 'code' in cause && cause.code === UNKNOWN && cause.message.includes('transport error');
}

function hasCause(error: unknown, matches: (cause: Error) => boolean): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth += 1) {
    if (matches(current)) return true;
    current = current.cause;
  }
  return false;
}
