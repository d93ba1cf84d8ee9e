/**
 * The model: the expected outcome of one shopper's plan, from the responses the shopper received. It
 * knows nothing of workflows, retries or faults.
 */
import { expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Shop } from '../support/shop.ts';
import type { Seen } from './shoppers.ts';

type ShopState = Pick<Shop, 'db' | 'sandbox'>;

export async function expectModel(shop: ShopState, seen: Seen): Promise<void> {
  const { status, bodies } = seen.placed;
  const good = seen.plan.card === 'pm_card_visa';
  // Sold out is reported before any card is authorized.
  expect(good ? [201, 409] : [402, 409], bodies[0]).toContain(status);
  if (status !== 409) expect(new Set(bodies).size, 'one key, one response').toBe(1);
  if (seen.orderId !== null) await expectOrder(shop, seen.orderId, seen);
}

async function expectOrder(shop: ShopState, orderId: OrderId, seen: Seen): Promise<void> {
  const order = await shop.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true },
  });
  const received = { orderId, cancels: seen.cancels, status: order.status };
  // A cancel has a definite response: 202, the order is cancelled; 409, it is not.
  for (const answer of seen.cancels) expect([202, 409], JSON.stringify(received)).toContain(answer);
  const cancelled = seen.cancels.includes(202) && !leftBefore(shop, orderId);
  expect(order.status, JSON.stringify(received)).toBe(cancelled ? 'cancelled' : 'shipped');
  const { capturedMinor = 0, refundedMinor = 0, status } = order.payment ?? {};
  const refunded = seen.refundsMinor.reduce((sum, each) => sum + each, 0);
  if (cancelled) {
    expect(refunded, 'nothing is left to be refunded').toBe(0);
    expect(capturedMinor).toBe(refundedMinor);
    expect(['voided', 'refunded']).toContain(status);
  } else {
    expect(capturedMinor).toBe(order.totalMinor);
    expect(refundedMinor).toBe(refunded);
    expect(refunded).toBeLessThanOrEqual(capturedMinor);
  }
}

/** The parcel had left when the cancel reached the warehouse: then it counts as shipped. */
function leftBefore({ sandbox }: ShopState, orderId: OrderId): boolean {
  const operations = sandbox.ledgers.warehouse
    .effects()
    .filter((each) => each.order_id === orderId)
    .map((each) => each.operation);
  return operations.includes('ship') && !operations.includes('cancel');
}
