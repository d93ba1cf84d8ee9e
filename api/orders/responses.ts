/** The answers to placing an order: the stored ones as bytes, the others as problems. Pure. */
import { formatMoney, type Money } from '../../domain/money.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Shortage } from '../../domain/product.ts';
import type { Unavailable } from '../../gateways/resilience/outcome.ts';
import type { StoredResponse } from '../../prisma/access/idempotency.ts';
import { problemBody, type Problem } from '../http/problems.ts';
import { placedOrderBody } from './representations.ts';

/** Long enough for a shopper who is paying to finish or to give up. */
const HELD_RETRY_SECONDS = 5;
/** The sweep comes once a minute. */
const ENDING_RETRY_SECONDS = 5;
const PAYMENT_RETRY_SECONDS = 2;
const GIVEN_UP_RETRY_SECONDS = 2;

export function placedResponse(order: Order): StoredResponse {
  return { status: 201, body: JSON.stringify(placedOrderBody(order)) };
}

/** Stored like the 201: the order is settled, and a retry must not try the card again. */
export function declinedResponse(declineCode: string, requestId: string): StoredResponse {
  const problem: Problem = {
    code: 'payment_declined',
    detail: 'The payment provider declined. Another payment method needs a new Idempotency-Key.',
    members: { decline_code: declineCode },
  };
  return { status: 402, body: problemBody(problem, requestId) };
}

/** Retryable only if waiting can help: every missing unit is with shoppers who still pay. */
export function outOfStock(shortages: readonly Shortage[]): Problem {
  const onlyHeld = shortages.every(({ cause }) => cause === 'held');
  return {
    code: 'out_of_stock',
    detail: onlyHeld
      ? 'The missing units are held by shoppers who are paying; some may come back.'
      : 'Some units are gone; `lines` says what is available.',
    members: { retryable: onlyHeld, lines: shortages },
    ...(onlyHeld && { retryAfterSeconds: HELD_RETRY_SECONDS }),
  };
}

export function priceChanged(total: Money, expectedMinor: number): Problem {
  return {
    code: 'price_changed',
    detail: `The total is ${formatMoney(total)} now.`,
    members: { total_minor: total.amountMinor, expected_total_minor: expectedMinor },
  };
}

/** Past its deadline and not ended: a try that began in time may still place it. */
export function orderExpiring(): Problem {
  return {
    code: 'request_in_flight',
    detail: 'The time for this order is over. Ask again with the same key for what became of it.',
    retryAfterSeconds: ENDING_RETRY_SECONDS,
  };
}

/** Only for an order that has expired: the shopper will order again. */
export function orderExpired(orderId: OrderId): Problem {
  return {
    code: 'order_expired',
    detail: 'Nothing was charged. Order again under a new Idempotency-Key.',
    members: { order_id: orderId },
  };
}

/** The answer for a request that was given up before anything was written. */
export function requestTimedOut(): Problem {
  return {
    code: 'overloaded',
    detail: 'The time for this request was used up. Nothing was begun; try again.',
    retryAfterSeconds: GIVEN_UP_RETRY_SECONDS,
  };
}

/** Asked before anything was written: the breaker knows that the provider gives no answer. */
export function paymentNotAttempted({ retryAfterMs }: Unavailable): Problem {
  return {
    code: 'payment_unavailable',
    detail: 'Nothing was begun; try again with the same key.',
    retryAfterSeconds: Math.ceil(retryAfterMs / 1_000),
  };
}

/** The order has expired, and the provider did not say that it let the money go. */
export function voidPending(): Problem {
  return {
    code: 'payment_unavailable',
    detail: 'The order expired; what is held on the card is being let go. Ask again, same key.',
    retryAfterSeconds: PAYMENT_RETRY_SECONDS,
  };
}

export function paymentUnavailable(retryAfterMs?: number): Problem {
  return {
    code: 'payment_unavailable',
    detail: 'The units stay held. Try again with the same key: nothing is charged twice.',
    retryAfterSeconds:
      retryAfterMs === undefined ? PAYMENT_RETRY_SECONDS : Math.ceil(retryAfterMs / 1_000),
  };
}
