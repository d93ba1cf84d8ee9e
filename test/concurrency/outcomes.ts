/** Waits for the outcomes of concurrent calls. */
import { expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { isSettledStatus, type OrderStatus } from '../../domain/order.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { eventually } from '../support/eventually.ts';
import type { Shop } from '../support/shop.ts';

/** For a busy machine. */
export const WITHIN = { timeoutMs: 180_000, everyMs: 200 } as const;

/** Waits until the order is settled. Gives its status. */
export function settledStatus({ db }: Shop, id: OrderId): Promise<OrderStatus> {
  return eventually(async () => {
    const order = await findOrder(db, id);
    if (!order || !isSettledStatus(order.status)) throw new Error(`${id} is ${order?.status}`);
    return order.status;
  }, WITHIN);
}

/** Waits until no refund of the order is open. */
export async function refundsSettled({ db }: Shop, orderId: OrderId): Promise<void> {
  await eventually(async () => {
    const open = await db.refund.count({
      where: { orderId, status: { in: ['requested', 'needs_attention'] } },
    });
    expect(open).toBe(0);
  }, WITHIN);
}

/** Waits until the order has the status. */
export async function untilStatus({ db }: Shop, id: OrderId, status: OrderStatus): Promise<void> {
  await eventually(async () => expect((await findOrder(db, id))?.status).toBe(status), WITHIN);
}
