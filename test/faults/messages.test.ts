import { afterAll, describe, expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { eventually } from '../support/eventually.ts';
import { expectCleanSlate, expectShipped } from '../support/expectations.ts';
import {
  sendCallback,
  sendPaymentWebhook,
  shippedBody,
  webhookPayload,
  passWebhooks,
} from '../support/provider-messages.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { expectConsistent } from './records.ts';
import { test } from './matrix-case.ts';

import { cancel, placed, recover } from './settling.ts';
import { times } from '../support/times.ts';

const shop = useSkippingShop();
afterAll(async () => {
  // Webhooks that match no payment by now are final.
  await passWebhooks(shop, { limit: 1_000, finalAfterMs: 0 });
  await expectConsistent(shop);
});

/** Sent about each order's payment, true or not. */
const WEBHOOK_TYPES = [
  'payment_intent.amount_capturable_updated',
  'payment_intent.succeeded',
  'payment_intent.canceled',
] as const;

interface Message {
  send(): Promise<number>;
}

/** The warehouse's callback that the parcel has left, under this message id. */
function shipped(orderId: OrderId, id: string): Message {
  const message = { id, body: shippedBody(orderId) };
  return { send: async () => (await sendCallback(shop, message)).status };
}

/** A webhook of the payment provider about the order's payment. */
function paymentWebhook(orderId: OrderId, intent: string, type: string): Message {
  const object = { object: 'payment_intent', id: intent, metadata: { order_id: orderId } };
  const payload = webhookPayload(`evt_${orderId}_${type}`, type, object);
  return { send: async () => (await sendPaymentWebhook(shop, payload)).status };
}

/** Each order's intent at the payment provider. */
async function intentsOf(orderIds: readonly OrderId[]): Promise<ReadonlyMap<string, string>> {
  const where = { orderId: { in: [...orderIds] } };
  const payments = await shop.db.payment.findMany({ where });
  return new Map(payments.map((each) => [each.orderId, each.providerReference ?? '']));
}

describe('provider messages', () => {
  test('[infra/callbacks-out-of-order] orders whose messages are shuffled, doubled and mixed with cancels each end in one final state', async (proof) => {
    const random = createSeededRandom();
    const orderIds = await Promise.all(times(12, () => placed(shop)));
    const intents = await intentsOf(orderIds);
    const messages: Message[] = orderIds.flatMap((orderId) => [
      shipped(orderId, `shipped-${orderId}`),
      ...WEBHOOK_TYPES.map((type) => paymentWebhook(orderId, intents.get(orderId) ?? '', type)),
      { send: () => cancelled(orderId) },
    ]);
    const doubled = random.shuffled([...messages, ...messages]);
    async function cancelled(orderId: OrderId): Promise<number> {
      if (!random.chance(0.4)) return 200;
      // Refused when the parcel has left or a cancel is under way.
      await cancel(shop, orderId).catch(() => undefined);
      return 200;
    }
    for (const message of doubled) expect(await message.send()).toBe(200);
    proof.fired(doubled.length - messages.length);
    for (const orderId of orderIds) {
      await shop.checkoutOf(orderId).result();
      const order = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
      if (order.status === 'shipped') await expectShipped(shop, orderId);
      else await expectCleanSlate(shop, orderId);
    }
    await eventually(async () => {
      await recover(shop, { expiryGraceMs: 60_000 });
      const where = { processedAt: null, source: 'warehouse' } as const;
      expect(await shop.db.inboxMessage.count({ where })).toBe(0);
    });
    // Each order was authorized, and its records say so.
    const confirmed = { type: WEBHOOK_TYPES[0], outcome: 'confirmed' };
    expect(await shop.db.inboxMessage.count({ where: confirmed })).toBe(orderIds.length);
  });

  test('[infra/history-limit] five hundred callbacks about one order are each stored, and its workflow history stays short', async (proof) => {
    shop.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'down' });
    const orderId = await placed(shop);
    const count = 500;
    const remaining = times(count, (index) => index);
    const sendAll = async (): Promise<void> => {
      for (let index = remaining.pop(); index !== undefined; index = remaining.pop()) {
        const send = shipped(orderId, `flood-${index}`).send;
        await eventually(async () => expect(await send()).toBe(200), { timeoutMs: 30_000 });
      }
    };
    await Promise.all(Array.from({ length: 16 }, sendAll));
    proof.fired(count);
    expect(await shop.db.inboxMessage.count({ where: { orderId } })).toBe(count);
    shop.sandbox.faults.clear();
    const handle = shop.checkoutOf(orderId);
    expect(await handle.result()).toEqual({ status: 'shipped', reason: null });
    await expectShipped(shop, orderId);
    expect((await handle.describe()).historyLength).toBeLessThan(200);
  });
});
