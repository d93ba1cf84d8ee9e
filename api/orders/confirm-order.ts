/**
 * What the storefront calls when its page says that the shopper has confirmed the payment. It only looks:
 * the answer is the state of the order as the payment provider has it now, however often it is asked.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import type { Database } from '../../prisma/client/client.ts';
import { findStoredResponse } from '../../prisma/access/idempotency.ts';
import { settleAndStart, type SettleAndStartDeps } from '../../services/settle-action.ts';
import { orderExpired, paymentNotConfirmed, paymentUnavailable } from './responses.ts';
import { refused, requireOrder, type PlaceOrderOutcome, waitsFor } from './settle-order.ts';
import { ProblemError } from '../http/problems.ts';

/** The outcome of the order as of POST /v1/orders, with status 200 where that has 201. */
export async function confirmOrder(
  deps: SettleAndStartDeps,
  order: Order,
): Promise<PlaceOrderOutcome> {
  const outcome = await settleAndStart(deps, order.id);
  switch (outcome.kind) {
    case 'waiting':
      return waitsFor(order, outcome);
    case 'later':
      return refused(paymentUnavailable(outcome.retryAfterMs));
    case 'not_waiting':
      return storedOutcome(deps.db, order.id);
  }
}

async function storedOutcome(db: Database, orderId: OrderId): Promise<PlaceOrderOutcome> {
  const stored = await findStoredResponse(db, orderId);
  if (stored !== null) {
    const response = stored.status === 201 ? { ...stored, status: 200 } : stored;
    return { kind: 'answered', orderId, response, placed: null, replayed: false };
  }
  const { status } = await requireOrder(db, orderId);
  if (status === 'expired') return refused(orderExpired(orderId));
  if (status === 'pending') return refused(paymentNotConfirmed());
  // Older than its Idempotency-Key, or erased.
  const detail = 'The response is not kept any more. Read the order.';
  throw new ProblemError({ code: 'not_found', detail });
}
