/**
 * Calls to Temporal with a deadline. An unreachable or slow server is a value (`unavailable`), because
 * the API serves without Temporal; so is a request that Temporal will never accept (`rejected`),
 * because a person has to look at it. Every other error is thrown.
 */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { TaskCancelledError, timeout, TimeoutStrategy } from 'cockatiel';
import { toLine } from '../domain/text.ts';
import { OutageError } from '../telemetry/items.ts';

/** Temporal does not respond, or not to us: its namespace or our permission is missing. */
export interface Unavailable {
  readonly kind: 'unavailable';
}

/** Temporal refuses this request for good, e.g. because it exceeds a limit of the server. */
export interface Rejected {
  readonly kind: 'rejected';
  /** The server's words. They name limits and attributes, never values of a person. */
  readonly reason: string;
}

export type TemporalDeadline = <T>(
  deadlineMs: number,
  call: (client: Client) => Promise<T>,
) => Promise<T | Unavailable | Rejected>;

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
      if (isRejected(error)) return { kind: 'rejected', reason: toLine(rootMessage(error), 200) };
      throw error;
    }
  };
}

/** For callers that are repeated, such as activities: throws an OutageError for `unavailable`. */
export async function requireAvailable<T extends { readonly kind: string }>(
  outcome: Promise<T>,
): Promise<Exclude<T, Unavailable>> {
  const settled = await outcome;
  if (isAvailable(settled)) return settled;
  throw new OutageError('Temporal is unavailable');
}

/** The same; also throws what Temporal refuses. */
export async function requireStarted(
  outcome: Promise<{ readonly kind: string } | Rejected>,
): Promise<void> {
  const settled = await requireAvailable(outcome);
  if ('reason' in settled) throw new Error(`Temporal refuses the workflow: ${settled.reason}`);
}

function isAvailable<T extends { readonly kind: string }>(
  outcome: T,
): outcome is Exclude<T, Unavailable> {
  return outcome.kind !== 'unavailable';
}

/** Why a workflow needs attention that Temporal refuses to start. */
export function startRejected({ reason }: Rejected): string {
  return `Temporal refuses to start the workflow: ${reason}`;
}

/** True when a repeat of the same request cannot succeed. */
export function isRejected(error: unknown): boolean {
  return hasGrpcCode(error, REJECTED_CODES);
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
/**
 * CANCELLED, DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE,
 * UNAUTHENTICATED: none of them is about the request itself.
 */
const UNAVAILABLE_CODES: readonly unknown[] = [1, 4, 7, 8, 10, 14, 16];
/** INVALID_ARGUMENT, OUT_OF_RANGE, UNIMPLEMENTED. */
const REJECTED_CODES: readonly unknown[] = [3, 11, 12];
const UNKNOWN = 2;
/** Causes are nested a few levels deep. The limit guards against a cycle. */
const MAX_DEPTH = 5;

/** True when the error is not about the request: the server does not respond, or not to us. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return false;
  if (error instanceof NamespaceNotFoundError) return true;
  return hasGrpcCode(error, UNAVAILABLE_CODES) || hasCause(error, isConnectionBroken);
}

/** A connection that breaks during a call has only the code UNKNOWN and this message. */
function isConnectionBroken(cause: Error): boolean {
  return 'code' in cause && cause.code === UNKNOWN && cause.message.includes('transport error');
}

/** The innermost message: the server's own, which the SDK wraps. */
function rootMessage(error: unknown): string {
  let message = 'unknown error';
  hasCause(error, (cause) => {
    message =
      'details' in cause && typeof cause.details === 'string' ? cause.details : cause.message;
    return false;
  });
  return message;
}

function hasCause(error: unknown, matches: (cause: Error) => boolean): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth += 1) {
    if (matches(current)) return true;
    current = current.cause;
  }
  return false;
}
