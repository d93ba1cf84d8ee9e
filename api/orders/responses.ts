/** The responses to placing an order: stored ones as bytes, others as problems. Pure. */
import { formatMoney, type Money } from '../../domain/money.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Shortage } from '../../domain/product.ts';
import type { PaymentAction } from '../../gateways/payments.ts';
import type { Unavailable } from '../../gateways/resilience/outcome.ts';
import type { StoredResponse } from '../../prisma/access/idempotency.ts';
import type { OrderResponses } from '../../services/end-unpaid.ts';
import type { PaymentActionBody } from '../schemas/payments.ts';
import { problemBody, type Problem } from '../http/problems.ts';
import { placedOrderBody } from './representations.ts';

/** Long enough for another shopper's payment to finish or fail. */
const HELD_RETRY_SECONDS = 5;
/** Much less than the sweep's minute, so that the retry learns of the end soon. */
const EXPIRING_RETRY_SECONDS = 5;
const PAYMENT_RETRY_SECONDS = 2;
const TIMED_OUT_RETRY_SECONDS = 2;

function placedResponse(order: Order): StoredResponse {
  return { status: 201, body: JSON.stringify(placedOrderBody(order)) };
}

/** Stored like a 201, because the order is settled and a retry must not charge the card. */
function declinedResponse(declineCode: string, requestId: string): StoredResponse {
  const problem: Problem = {
    code: 'payment_declined',
    detail:
      'The payment was declined. Order again with another payment method and a new Idempotency-Key.',
    members: { decline_code: declineCode },
  };
  return { status: 402, body: problemBody(problem, requestId) };
}

/** What is stored for the order's Idempotency-Key when it is placed or declined. */
export const ORDER_RESPONSES: OrderResponses = {
  placed: placedResponse,
  declined: declinedResponse,
};

/** The shopper has to confirm the payment. Sent and never stored: it has the payment's secret. */
export function paymentActionBody(
  order: Order,
  { action, expiresAt }: { readonly action: PaymentAction; readonly expiresAt: string },
): PaymentActionBody {
  return {
    object: 'payment_action',
    code: 'payment_action_required',
    order_id: order.id,
    client_secret: action.clientSecret,
    next_action: { ...action.nextAction },
    expires_at: expiresAt,
    total_minor: order.totalMinor,
    currency: order.currency,
  };
}

/**
 * The provider refused the request and not the card, e.g. a currency that the account cannot charge.
 * Stored as well: the same request would be refused again.
 */
export function paymentRefusedResponse(providerCode: string, requestId: string): StoredResponse {
  const problem: Problem = {
    code: 'payment_refused',
    detail:
      'The payment provider refused this payment, and nothing was charged. Change the order and send ' +
      'it with a new Idempotency-Key, or choose another payment method.',
    members: { provider_code: providerCode },
  };
  return { status: 422, body: problemBody(problem, requestId) };
}

/** Retryable only if other unpaid orders hold all missing units, which may be released. */
export function outOfStock(shortages: readonly Shortage[]): Problem {
  const onlyHeld = shortages.every(({ cause }) => cause === 'held');
  return {
    code: 'out_of_stock',
    detail: onlyHeld
      ? 'The missing units are held by orders that are being paid. Retry; some may be released.'
      : 'Some units are sold out; `lines` lists what is available.',
    members: { retryable: onlyHeld, lines: shortages },
    ...(onlyHeld && { retryAfterSeconds: HELD_RETRY_SECONDS }),
  };
}

export function creditInsufficient(credit: Money, requestedMinor: number): Problem {
  return {
    code: 'credit_insufficient',
    detail: `The customer has ${formatMoney(credit)} of store credit. Order again with that or less.`,
    members: {
      available_minor: credit.amountMinor,
      requested_minor: requestedMinor,
      currency: credit.currency,
    },
  };
}

export function priceChanged(total: Money, expectedMinor: number): Problem {
  return {
    code: 'price_changed',
    detail: `The total is now ${formatMoney(total)}. Confirm it with the shopper and order again.`,
    members: { total_minor: total.amountMinor, expected_total_minor: expectedMinor },
  };
}

/** Past its deadline but not expired yet: an attempt that began in time may still place it. */
export function orderExpiring(): Problem {
  return {
    code: 'request_in_flight',
    detail: 'The order is expiring. Retry with the same Idempotency-Key to get its outcome.',
    retryAfterSeconds: EXPIRING_RETRY_SECONDS,
  };
}

export function orderExpired(orderId: OrderId): Problem {
  return {
    code: 'order_expired',
    detail: 'The order expired and nothing was charged. Order again with a new Idempotency-Key.',
    members: { order_id: orderId },
  };
}

/** For a request that timed out before anything was written. */
export function requestTimedOut(): Problem {
  return {
    code: 'overloaded',
    detail: 'The request timed out and was not processed. Retry with the same Idempotency-Key.',
    retryAfterSeconds: TIMED_OUT_RETRY_SECONDS,
  };
}

/** For a request after which nothing is left: the provider was not called, or did nothing. */
export function paymentNotAttempted({ retryAfterMs }: Unavailable): Problem {
  return {
    code: 'payment_unavailable',
    detail: 'The request was not processed. Retry with the same Idempotency-Key.',
    retryAfterSeconds: Math.ceil(retryAfterMs / 1_000),
  };
}

/** For an order that was not answered with `payment_action_required`: its request still runs. */
export function paymentNotConfirmed(): Problem {
  return {
    code: 'request_in_flight',
    detail:
      'The payment is being authorized. Retry POST /v1/orders with the same Idempotency-Key for its outcome.',
    retryAfterSeconds: PAYMENT_RETRY_SECONDS,
  };
}

/** For an expired order whose void the provider has not confirmed yet. */
export function voidPending(): Problem {
  return {
    code: 'payment_unavailable',
    detail:
      'The order expired and its payment is being voided. Retry with the same Idempotency-Key.',
    retryAfterSeconds: PAYMENT_RETRY_SECONDS,
  };
}

export function paymentUnavailable(retryAfterMs?: number): Problem {
  return {
    code: 'payment_unavailable',
    detail:
      'The payment is still pending. Retry with the same Idempotency-Key; ' +
      'you will not be charged twice.',
    retryAfterSeconds:
      retryAfterMs === undefined ? PAYMENT_RETRY_SECONDS : Math.ceil(retryAfterMs / 1_000),
  };
}
