/** The only place that builds ApplicationFailure: gateway outcomes and refused changes in, failures out. */
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import type { OrderId, RefundId } from '../domain/ids.ts';
import type { NoAnswer, ProviderRejection } from '../gateways/outcome.ts';
import type { ChangeOutcome } from '../prisma/change.ts';
import type { FailureType } from './contract.ts';

/** Nobody knows, or nothing was sent: Temporal tries again, not before the breaker lets it. */
export function notAnswered(operation: string, outcome: NoAnswer): ApplicationFailure {
  if (outcome.kind === 'unavailable') {
    return ApplicationFailure.create({
      type: 'provider_unavailable' satisfies FailureType,
      message: `${operation}: not called, the provider is resting`,
      nextRetryDelay: outcome.retryAfterMs,
    });
  }
  return ApplicationFailure.create({
    type: 'provider_unknown_outcome' satisfies FailureType,
    message: `${operation}: outcome unknown (${outcome.reason})`,
  });
}

/** The provider is still busy with the same intent: ask again. */
export function stillProcessing(operation: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'provider_unknown_outcome' satisfies FailureType,
    message: `${operation}: the provider has not settled it yet`,
  });
}

/** The provider refused something only our own fault can explain; repeating it cannot help. */
export function rejectedRequest(operation: string, code: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `${operation}: refused (${code})`,
    'provider_rejected_request' satisfies FailureType,
  );
}

/** The money's hold is about to lapse: the order is undone rather than tried for again. */
export function authorizationExpiring(operation: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `${operation}: no answer, and the authorization expires soon`,
    'authorization_expiring' satisfies FailureType,
  );
}

/** True when Temporal would run the activity again after this. */
export function mayBeTriedAgain(error: unknown): boolean {
  if (error instanceof ApplicationFailure) return error.nonRetryable !== true;
  return !(error instanceof TemporalFailure || isProviderRejection(error));
}

/** No such order: nothing a retry could change. */
export function orderNotFound(orderId: OrderId): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `no order ${orderId}`,
    'order_not_found' satisfies FailureType,
  );
}

/** No such refund: nothing a retry could change. */
export function refundNotFound(refundId: RefundId): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `no refund ${refundId}`,
    'refund_not_found' satisfies FailureType,
  );
}

/** Accepts a change that was made now or before; throws when the order may not make it. */
export function requireChanged(orderId: OrderId, change: ChangeOutcome): void {
  switch (change.kind) {
    case 'changed':
    case 'already':
      return;
    case 'not_found':
      throw orderNotFound(orderId);
    case 'forbidden':
      throw ApplicationFailure.nonRetryable(
        `order ${orderId} is ${change.status}`,
        'forbidden_transition' satisfies FailureType,
      );
  }
}

/**
 * Any other fault, stripped of its text: a driver's message may quote what a person typed, and
 * failures are kept in Temporal (G8). The text goes to the worker's log instead.
 */
export function unexpected(operation: string, error: unknown): Error {
  if (error instanceof TemporalFailure) return error;
  if (isProviderRejection(error)) return rejectedRequest(operation, error.code);
  const name = error instanceof Error ? error.name : typeof error;
  return ApplicationFailure.create({
    type: 'unexpected_error' satisfies FailureType,
    message: `${operation}: ${name}`,
  });
}

export interface Pace {
  /** From the step's first attempt to this one. */
  readonly waitedMs: number;
  /** Our own database is away: it comes back within seconds, or somebody is paged. */
  readonly isOurs: boolean;
}

const SHARE_OF_WAITED = 1 / 8;
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 10 * 60_000;
const LONGEST_WAIT_FOR_OURS_MS = 10_000;

/**
 * The failure with the wait before the next attempt, not before a breaker lets it. The wait grows with
 * the time the step has been trying, not with the number of attempts: the end of an outage is noticed
 * soon, however often was asked within it.
 */
export function paced(failure: Error, { waitedMs, isOurs }: Pace): Error {
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable === true) return failure;
  const longestMs = isOurs ? LONGEST_WAIT_FOR_OURS_MS : LONGEST_WAIT_MS;
  const wishedMs = Math.max(Math.floor(waitedMs * SHARE_OF_WAITED), SHORTEST_WAIT_MS);
  const breakerMs = typeof failure.nextRetryDelay === 'number' ? failure.nextRetryDelay : 0;
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.type ?? ('unexpected_error' satisfies FailureType),
    nextRetryDelay: Math.max(Math.min(wishedMs, longestMs), breakerMs),
  });
}

/** Known by name: gateways are interfaces here, never imported by value. */
function isProviderRejection(error: unknown): error is ProviderRejection {
  return error instanceof Error && error.name === 'ProviderRejection';
}
