/** Orders that settle in spite of faults: placed with retries, recovered, cancelled. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { runRecovery } from '../../services/recovery.ts';
import { cancelUpdate } from '../../workflows/checkout/contract.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { orderOf } from '../support/responses.ts';
import type { RunningShop } from '../support/running-shop.ts';
import { paymentEffects, type Shop } from '../support/shop.ts';
import { update } from '../support/updates.ts';

const SETTLED_WITHIN = { timeoutMs: 120_000, everyMs: 250 };
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 1_000 };

/** Repeats a request until it is answered with 201, as its client does. Gives the body. */
export async function retryUntilPlaced(request: () => Promise<Response>): Promise<string> {
  return eventually(async () => {
    const response = await request();
    expect(response.status).toBe(201);
    return response.text();
  }, SETTLED_WITHIN);
}

/** The order in the body of a 201. */
export async function orderIdIn(body: string): Promise<OrderId> {
  const { id } = await orderOf(new Response(body));
  if (!isOrderId(id)) throw new Error(id);
  return id;
}

/**
 * Places one mug over the API, again under the same key until it is settled. Its workflow is started,
 * or is known not to be.
 */
export async function placed(shop: RunningShop, key: string = randomUUID()): Promise<OrderId> {
  const body = await retryUntilPlaced(() => shop.place({}, key));
  await shop.services.starter.drain();
  return orderIdIn(body);
}

/** Authorized once and placed once. */
export async function expectPlacedOnce(
  shop: Pick<Shop, 'db' | 'sandbox'>,
  id: OrderId,
): Promise<void> {
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  expect(await eventTypesOf(shop, id)).toEqual(['order.created', 'order.placed']);
}

/** One pass of the recovery over everything, however new it is. */
export async function recover(shop: Shop, changes: Partial<typeof NOW> = {}): Promise<void> {
  await runRecovery(shop.services, { ...NOW, ...changes });
}

/** Runs the recovery until the overdue order has expired. */
export async function expectExpired(
  shop: Shop,
  id: string,
  effects: Readonly<Record<string, number>>,
): Promise<void> {
  await eventually(async () => {
    await recover(shop);
    expect((await shop.db.order.findUniqueOrThrow({ where: { id } })).status).toBe('expired');
  });
  expect(paymentEffects(shop, id)).toEqual(effects);
}

/** Cancels the order at its workflow. Throws when that refuses. */
export async function cancel(shop: RunningShop, orderId: OrderId): Promise<void> {
  const arg = { reason: 'requested_by_customer', actor: 'op' } as const;
  await update(shop.checkoutOf(orderId), { definition: cancelUpdate, arg });
}
