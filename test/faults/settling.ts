/** Orders of a running shop that are settled in spite of faults. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { cancelUpdate } from '../../workflows/checkout/contract.ts';
import { eventually } from '../support/eventually.ts';
import { orderOf } from '../support/responses.ts';
import type { RunningShop } from '../support/running-shop.ts';
import { update } from '../support/updates.ts';

const SETTLED_WITHIN = { timeoutMs: 120_000, everyMs: 250 };

/**
 * Places one mug over the API, again under the same key until it is settled. Its workflow is started,
 * or is known not to be.
 */
export async function placed(shop: RunningShop, key: string = randomUUID()): Promise<OrderId> {
  const answer = await eventually(async () => {
    const tried = await shop.place({}, key);
    expect(tried.status).toBe(201);
    return tried;
  }, SETTLED_WITHIN);
  const { id } = await orderOf(answer);
  await shop.services.starter.drain();
  if (!isOrderId(id)) throw new Error(id);
  return id;
}

/** Cancels the order at its workflow. Throws when that refuses. */
export async function cancel(shop: RunningShop, orderId: OrderId): Promise<void> {
  const arg = { reason: 'requested_by_customer' } as const;
  await update(shop.checkoutOf(orderId), { definition: cancelUpdate, arg });
}
