/** Builds every ApplicationFailure, from gateway outcomes and refused status changes. */
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import type { OrderId, RefundId } from '../domain/ids.ts';
import type { OrderStatus } from '../domain/order.ts';
import type { NoResponse, ProviderRejection } from '../gateways/resilience/outcome.ts';
import type { TransitionOutcome } from '../prisma/orders/transition.ts';
import type { FailureType } from '../workflows/activities.ts';

/** Unknown outcome, or not called: Temporal retries, after the circuit breaker's wait if it is open. */
export function providerFailure(operation: string, outcome: NoResponse): ApplicationFailure {
  if (outcome.kind === 'unavailable') {
    return ApplicationFailure.create({
      type: 'provider_unavailable' satisfies FailureType,
      message: `${operation}: not called (${outcome.reason})`,
      nextRetryDelay: outcome.retryAfterMs,
    });
  }
  return ApplicationFailure.create({
    type: 'provider_unknown_outcome' satisfies FailureType,
    message: `${operation}: outcome unknown (${outcome.reason})`,
  });
}

/** The provider is still processing the same intent: retry. */
export function stillProcessing(operation: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'provider_unknown_outcome' satisfies FailureType,
    message: `${operation}: the provider is still processing it`,
  });
}

/** The provider refused a request of ours as wrong; a retry cannot succeed. */
export function rejectedRequest(operation: string, code: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `${operation}: refused (${code})`,
    'provider_rejected_request' satisfies FailureType,
  );
}

/** The authorization is about to expire: the order is compensated instead of retried. */
export function authorizationExpiring(operation: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `${operation}: failed, and the authorization expires soon`,
    'authorization_expiring' satisfies FailureType,
  );
}

/** The payment was captured manually and not at the provider: only a person can refund it. */
export function capturedManually(operation: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `${operation}: captured manually, and not at the provider`,
    'captured_manually' satisfies FailureType,
  );
}

/** True when Temporal retries the activity after this error. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof ApplicationFailure) return error.nonRetryable !== true;
  return !(error instanceof TemporalFailure || isProviderRejection(error));
}

/** There is no such order: a retry cannot succeed. */
export function orderNotFound(orderId: OrderId): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `no order ${orderId}`,
    'order_not_found' satisfies FailureType,
  );
}

/** There is no such refund: a retry cannot succeed. */
export function refundNotFound(refundId: RefundId): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `no refund ${refundId}`,
    'refund_not_found' satisfies FailureType,
  );
}

/**
 * The subscription exists, but this version has no subscriber for it: a newer version added it. A later
 * attempt reaches a worker of that version.
 */
export function subscriberUnknown(subscription: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'subscriber_unknown' satisfies FailureType,
    message: `this worker's version has no subscriber ${subscription}`,
  });
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
      throw ApplicationFailure.nonRetryable(
        `order ${orderId} is ${change.status}`,
        refusalBy(change.status),
      );
  }
}

/** A forward step of an order that is being cancelled lost a race; anything else is a fault. */
function refusalBy(status: OrderStatus): FailureType {
  const isCancelling = status === 'cancelling' || status === 'cancelled';
  return isCancelling ? 'order_cancelling' : 'forbidden_transition';
}

/**
 * Any other fault, without its message: a driver may quote personal data, and failures are stored in
 * Temporal (G8). The message goes to the worker's log instead.
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

/** Recognized by name: gateways are interfaces here and never imported by value. */
function isProviderRejection(error: unknown): error is ProviderRejection {
  return error instanceof Error && error.name === 'ProviderRejection';
}
