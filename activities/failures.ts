/** The only place that builds ApplicationFailure: gateway outcomes and refused changes in, failures out. */
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import type { OrderId, RefundId } from '../domain/ids.ts';
import type { OrderStatus } from '../domain/order.ts';
import type { NoAnswer, ProviderRejection } from '../gateways/resilience/outcome.ts';
import type { TransitionOutcome } from '../prisma/orders/transition.ts';
import type { FailureType } from '../workflows/activities.ts';

/** Nobody knows, or nothing was sent: Temporal tries again, not before the breaker lets it. */
export function providerFailure(operation: string, outcome: NoAnswer): ApplicationFailure {
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

/** A person captured the money, and not at the provider: only a person can give it back. */
export function capturedManually(operation: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `${operation}: captured by hand, and not at the provider`,
    'captured_manually' satisfies FailureType,
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

/**
 * The subscription is there and its subscriber is not in this code: a newer version added it. A later
 * try finds a worker of that version.
 */
export function subscriberUnknown(subscription: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'subscriber_unknown' satisfies FailureType,
    message: `this worker's version has no subscriber ${subscription}`,
  });
}

/** Accepts a change that was made now or before; throws when the order may not make it. */
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

/** A step forward of an order that is undone meanwhile has lost a race; any other is a fault. */
function refusalBy(status: OrderStatus): FailureType {
  const isCancelling = status === 'cancelling' || status === 'cancelled';
  return isCancelling ? 'order_cancelling' : 'forbidden_transition';
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

/** Known by name: gateways are interfaces here, never imported by value. */
function isProviderRejection(error: unknown): error is ProviderRejection {
  return error instanceof Error && error.name === 'ProviderRejection';
}
