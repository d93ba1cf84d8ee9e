/** Orders that settle in spite of faults: placed with retries, recovered, cancelled. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { z } from 'zod';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { runRecovery, type RecoveryLimits } from '../../services/recovery.ts';
import { cancelUpdate } from '../../workflows/checkout/contract.ts';
import { CHALLENGED_CARD } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { settleChallenge } from '../support/provider-messages.ts';
import { orderOf } from '../support/responses.ts';
import type { RunningShop } from '../support/running-shop.ts';
import { paymentEffects, type Shop } from '../support/shop.ts';
import { update } from '../support/updates.ts';

const SETTLED_WITHIN = { timeoutMs: 120_000, everyMs: 250 };
/** A bank that hangs is asked again. */
const BANK_WITHIN = { timeoutMs: 2_000 };
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 1_000 };

/** Repeats a request until it is answered with 201, as its client does. Gives the body. */
export function retryUntilPlaced(request: () => Promise<Response>): Promise<string> {
  return retryUntil(201, request);
}

function retryUntil(status: number, request: () => Promise<Response>): Promise<string> {
  return eventually(async () => {
    const response = await request();
    expect(response.status).toBe(status);
    return response.text();
  }, SETTLED_WITHIN);
}

/** An order that waits for its shopper. */
export interface Waiting {
  readonly orderId: OrderId;
  /** The payment at the provider. */
  readonly intentId: string;
}

/** The order in the body of a 202. */
export function waitingIn(body: string): Waiting {
  const { order_id: orderId, client_secret: secret } = actionSchema.parse(JSON.parse(body));
  const [intentId = ''] = secret.split('_secret_');
  return { orderId, intentId };
}

const actionSchema = z.object({
  code: z.literal('payment_action_required'),
  order_id: z.custom<OrderId>((id) => typeof id === 'string' && isOrderId(id)),
  client_secret: z.string(),
});

/** The shop's page says that the shopper has confirmed. */
export function confirm(shop: Shop, { orderId }: Pick<Waiting, 'orderId'>): Promise<Response> {
  return shop.request('POST', `/v1/orders/${orderId}/confirm`);
}

/** The same as `placed` by a card whose bank asks the shopper, who confirms, until it is settled. */
export async function placedByChallenge(shop: RunningShop, key: string): Promise<OrderId> {
  const changes = { payment_method: CHALLENGED_CARD };
  const waiting = waitingIn(await retryUntil(202, () => shop.place(changes, key)));
  await retryUntil(200, async () => {
    // Also when the bank has decided already and its response was lost.
    const bank = settleChallenge(
      { sandbox: shop.sandbox, ...BANK_WITHIN },
      waiting.intentId,
      'authenticated',
    );
    await bank.catch(() => undefined);
    return confirm(shop, waiting);
  });
  await shop.services.starter.drain();
  return waiting.orderId;
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
export async function recover(shop: Shop, changes: Partial<RecoveryLimits> = {}): Promise<void> {
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
