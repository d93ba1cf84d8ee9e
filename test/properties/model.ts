/**
 * The model: what must have become of one shopper's wish, knowing only what the shopper was told. It
 * knows nothing of workflows, retries or faults.
 */
import { expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Shop } from '../support/shop.ts';
import type { Seen } from './shoppers.ts';

type Books = Pick<Shop, 'db' | 'sandbox'>;

export async function expectAsWished(shop: Books, seen: Seen): Promise<void> {
  const { status, bodies } = seen.placed;
  const good = seen.wish.card === 'pm_card_visa';
  // Sold out is said before any card is asked.
  expect(good ? [201, 409] : [402, 409], bodies[0]).toContain(status);
  if (status !== 409) expect(new Set(bodies).size, 'one key, one answer').toBe(1);
  if (seen.orderId !== null) await expectOrderAsTold(shop, seen.orderId, seen);
}

async function expectOrderAsTold(shop: Books, orderId: OrderId, seen: Seen): Promise<void> {
  const order = await shop.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true },
  });
  const told = { orderId, cancels: seen.cancels, status: order.status };
  // A cancel has a definite answer (G10): 202, it is undone; 409, it is not.
  for (const answer of seen.cancels) expect([202, 409], JSON.stringify(told)).toContain(answer);
  const cancelled = seen.cancels.includes(202) && !leftBefore(shop, orderId);
  expect(order.status, JSON.stringify(told)).toBe(cancelled ? 'cancelled' : 'shipped');
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

/** The parcel was gone when the cancel reached the warehouse: then it counts as shipped. */
function leftBefore({ sandbox }: Books, orderId: OrderId): boolean {
  const operations = sandbox.ledgers.warehouse
    .effects()
    .filter((each) => each.order_id === orderId)
    .map((each) => each.operation);
  return operations.includes('ship') && !operations.includes('cancel');
}
