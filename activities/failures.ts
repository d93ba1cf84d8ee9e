/** Builds every ApplicationFailure of the activities, from gateway outcomes and refused status changes. */
import { ApplicationFailure, rootCause, TemporalFailure } from '@temporalio/common';
import { OutageError } from '../telemetry/items.ts';
import {
  RETRY_CLASS,
  retryClassOf,
  type FailureType,
  type RetryClass,
} from '../domain/failures.ts';
import type { OrderId, RefundId } from '../domain/ids.ts';
import type { OrderStatus } from '../domain/order.ts';
import type { NoResponse, ProviderRejection } from '../gateways/resilience/outcome.ts';
import type { TransitionOutcome } from '../prisma/orders/transition.ts';
import { databaseCode, isDatabaseUnavailable } from '../prisma/client/errors.ts';

/**
 * Unknown outcome, or nothing done: retried, after the circuit breaker's wait if it is open. The message
 * is the cause in words. A call that an open breaker kept from being sent has the breaker's last error
 * as its cause, worded like a call that failed with it, so that both count as one cause (`causeOf`).
 */
export function providerFailure(operation: string, outcome: NoResponse): ApplicationFailure {
  const cause = `${operation}: ${outcome.reason}`;
  if (outcome.kind === 'unavailable') {
    const { retryAfterMs } = outcome;
    if (!outcome.breakerOpen) return failure('provider_unavailable', cause, { retryAfterMs });
    const message = `${operation}: not called for now, last error: ${outcome.reason}`;
    return failure('provider_unavailable', message, { retryAfterMs, cause: new Error(cause) });
  }
  const isUnderstood = outcome.notUnderstood !== true;
  return failure(
    isUnderstood ? 'provider_unknown_outcome' : 'provider_answer_not_understood',
    cause,
  );
}

/** Why the failure happened, as `failureSummary` of the workflows sees it. */
export function causeOf(failure: Error): string {
  return rootCause(failure) ?? failure.message;
}

/** True when the provider was not called, e.g. because the circuit breaker is open. */
export function isProviderAway(error: unknown): boolean {
  const type: FailureType = 'provider_unavailable';
  return error instanceof ApplicationFailure && error.type === type;
}

/** The provider is still processing the same intent: retry. */
export function stillProcessing(operation: string): ApplicationFailure {
  return failure('provider_unknown_outcome', `${operation}: the provider is still processing it`);
}

/** The provider refused a request of ours as wrong; a retry cannot succeed. */
export function rejectedRequest(operation: string, code: string): ApplicationFailure {
  return failure('provider_rejected_request', `${operation}: refused (${code})`);
}

/** The mail server got the mail and did not confirm it. It is sent again once or twice: each may be a copy. */
export function mailUnconfirmed(reason: string): ApplicationFailure {
  return failure('mail_unconfirmed', `mail: sent, and not confirmed: ${reason}`);
}

/** The authorization is about to expire: the order is compensated instead of retried. */
export function authorizationExpiring(operation: string): ApplicationFailure {
  const message = `${operation}: failed, and the authorization expires soon`;
  return failure('authorization_expiring', message);
}

/** The payment was captured manually and not at the provider: only a person can refund it. */
export function capturedManually(operation: string): ApplicationFailure {
  const message = `${operation}: captured manually, and not at the provider`;
  return failure('captured_manually', message);
}

/** The wait in ms that the failure asks for before the next attempt; null: the retry policy's. */
export function retryDelayMs(failure: Error): number | null {
  const delay: unknown = failure instanceof ApplicationFailure ? failure.nextRetryDelay : null;
  return typeof delay === 'number' ? delay : null;
}

/** How long a failure as Temporal sees it is retried. */
export function retryClassOfFailure(failure: Error): RetryClass {
  return retryClassOf(failure instanceof ApplicationFailure ? failure.type : null);
}

/** True when the activity is tried again after this error, at once or later. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof ApplicationFailure) return error.nonRetryable !== true;
  return !(error instanceof TemporalFailure || isProviderRejection(error));
}

/** There is no such order: a retry cannot succeed. */
export function orderNotFound(orderId: OrderId): ApplicationFailure {
  return failure('order_not_found', `no order ${orderId}`);
}

/** The records rule out a checkout of the order: a retry cannot succeed. */
export function notEligible(orderId: OrderId, reason: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `order ${orderId} may not have this checkout: ${reason}`,
    'not_eligible' satisfies FailureType,
  );
}

/** There is no such refund: a retry cannot succeed. */
export function refundNotFound(refundId: RefundId): ApplicationFailure {
  return failure('refund_not_found', `no refund ${refundId}`);
}

/** The same for a type of job. */
export function jobTypeUnknown(type: string): ApplicationFailure {
  return failure('job_type_unknown', `this worker's version has no job ${type}`);
}

/** The job cannot be done, for a reason that is shown to its operator: a retry cannot succeed. */
export function jobFailed(reason: string): ApplicationFailure {
  return failure('job_failed', reason);
}

/**
 * The subscription exists, but this version has no subscriber for it or for all of its types: a newer
 * version added them. A later attempt reaches a worker of that version.
 */
export function subscriberUnknown(subscription: string): ApplicationFailure {
  const message = `this worker's version has no subscriber ${subscription} for all of its types`;
  return failure('subscriber_unknown', message);
}

/** Accepts a change that was made now or before; throws when the order's status forbids it. */
export function requireChanged(orderId: OrderId, change: TransitionOutcome): void {
  switch (change.kind) {
    case 'changed':
    case 'already':
      return;
    case 'not_found':
      throw orderNotFound(orderId);
    case 'forbidden':
      throw failure(refusalBy(change.status), `order ${orderId} is ${change.status}`);
  }
}

/** A forward step of an order that is being cancelled lost a race; anything else is a fault. */
function refusalBy(status: OrderStatus): FailureType {
  const isCancelling = status === 'cancelling' || status === 'cancelled';
  return isCancelling ? 'order_cancelling' : 'forbidden_transition';
}

/**
 * Any other fault, without its message: a driver may quote personal data, and failures are stored in
 * Temporal. The message goes to the worker's log instead. Only an unavailable database is retried
 * for long.
 */
export function unexpected(operation: string, error: unknown): Error {
  if (error instanceof TemporalFailure) return error;
  if (isProviderRejection(error)) return rejectedRequest(operation, error.code);
  if (isDatabaseUnavailable(error)) {
    return failure('database_unavailable', `${operation}: the database is unavailable`);
  }
  if (error instanceof OutageError) {
    return failure('provider_unavailable', `${operation}: ${error.message}`);
  }
  const name = error instanceof Error ? error.name : typeof error;
  const code = databaseCode(error);
  const what = code === null ? name : `${name} ${code}`;
  return failure('unexpected_error', `${operation}: ${what}`);
}

/** Temporal itself retries an outage; a workflow retries what is `brief` (workflows/failure-type.ts). */
function failure(
  type: FailureType,
  message: string,
  more: { readonly retryAfterMs?: number; readonly cause?: Error } = {},
): ApplicationFailure {
  const { retryAfterMs: nextRetryDelay, ...rest } = more;
  const nonRetryable = RETRY_CLASS[type] !== 'outage';
  return ApplicationFailure.create({ type, message, nonRetryable, nextRetryDelay, ...rest });
}

/** Recognized by name: gateways are interfaces here and never imported by value. */
function isProviderRejection(error: unknown): error is ProviderRejection {
  return error instanceof Error && error.name === 'ProviderRejection';
}
