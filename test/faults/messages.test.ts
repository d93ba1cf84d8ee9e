import Stripe from 'stripe';
import { Webhook } from 'standardwebhooks';
import { afterAll, describe, expect } from 'vitest';
import { processPaymentWebhooks } from '../../services/payment-webhooks.ts';
import { runRecovery } from '../../services/recovery.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { eventually } from '../support/eventually.ts';
import { expectCleanSlate, expectShipped } from '../support/expectations.ts';
import { CALLBACK_SECRET, WEBHOOK_SECRET } from '../support/shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { expectConsistent } from './records.ts';
import { cell } from './matrix-case.ts';
import { createSeededRandom } from './seeded-random.ts';
import { cancel, placed } from './settling.ts';

const NOW = { olderThanMs: 0, expiryGraceMs: 60_000, batch: 1_000, eventsKeptDays: 90 };

const running = useSkippingShop();
afterAll(async () => {
  // What is not confirmed by now nobody asked for.
  await processPaymentWebhooks(running.shop.services, {
    olderThanMs: 0,
    limit: 1_000,
    finalAfterMs: 0,
  });
  await expectConsistent(running.shop);
});

/** Of each order's money, whether it is true or not. */
const TOLD = [
  'payment_intent.amount_capturable_updated',
  'payment_intent.succeeded',
  'payment_intent.canceled',
] as const;

interface Message {
  send(): Promise<number>;
}

async function post(path: string, body: string, headers: Record<string, string>): Promise<number> {
  const asked = { role: null, body, headers };
  return (await running.shop.ask('POST', path, asked)).status;
}

/** The warehouse says the parcel has left; `id` tells one message from another. */
function shipped(orderId: OrderId, id: string): Message {
  const data = {
    correlation_id: shipmentCorrelationId(orderId),
    order_id: orderId,
    carrier: 'Test Parcel',
    tracking_number: 'TP-1',
  };
  const body = JSON.stringify({ type: 'shipment.shipped', data });
  return {
    send() {
      const at = new Date();
      return post('/callbacks/warehouse', body, {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(CALLBACK_SECRET).sign(id, at, body),
      });
    },
  };
}

/** The payment provider says something happened to the order's money. */
function notification(orderId: OrderId, intent: string, type: string): Message {
  const object = { object: 'payment_intent', id: intent, metadata: { order_id: orderId } };
  const id = `evt_${orderId}_${type}`;
  const payload = JSON.stringify({ id, object: 'event', type, data: { object } });
  return {
    send() {
      const secret = WEBHOOK_SECRET;
      const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret });
      return post('/callbacks/payments', payload, { 'stripe-signature': signature });
    },
  };
}

/** Each order's intent at the payment provider. */
async function intentsOf(orderIds: readonly OrderId[]): Promise<ReadonlyMap<string, string>> {
  const where = { orderId: { in: [...orderIds] } };
  const payments = await running.shop.db.payment.findMany({ where });
  return new Map(payments.map((each) => [each.orderId, each.providerReference ?? '']));
}

describe('provider messages', () => {
  const inAnyOrder =
    'orders whose messages are shuffled, doubled and mixed with cancels each end in one final state';
  cell('infra/callbacks-out-of-order', inAnyOrder, async (proof) => {
    const { shop } = running;
    const random = createSeededRandom();
    const orderIds = await Promise.all(Array.from({ length: 12 }, () => placed(shop)));
    const intents = await intentsOf(orderIds);
    const messages: Message[] = orderIds.flatMap((orderId) => [
      shipped(orderId, `left-${orderId}`),
      ...TOLD.map((type) => notification(orderId, intents.get(orderId) ?? '', type)),
      { send: () => cancelled(orderId) },
    ]);
    const doubled = random.shuffled([...messages, ...messages]);
    async function cancelled(orderId: OrderId): Promise<number> {
      if (!random.chance(0.4)) return 200;
      // Refused when the parcel has left or a cancel is under way: then that stands.
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
      await runRecovery(shop.services, NOW);
      const where = { processedAt: null, source: 'warehouse' } as const;
      expect(await shop.db.inboxMessage.count({ where })).toBe(0);
    });
    // Each order was authorized, and its books say so.
    const confirmed = { type: TOLD[0], outcome: 'confirmed' };
    expect(await shop.db.inboxMessage.count({ where: confirmed })).toBe(orderIds.length);
  });

  const bounded =
    'five hundred callbacks about one order are each stored, and its workflow history stays short';
  cell(
    'infra/history-limit',
    bounded,
    async (proof) => {
      const { shop } = running;
      shop.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'down' });
      const orderId = await placed(shop);
      const count = 500;
      const left = Array.from({ length: count }, (_, at) => at);
      const lane = async (): Promise<void> => {
        for (let at = left.shift(); at !== undefined; at = left.shift()) {
          const send = shipped(orderId, `flood-${at}`).send;
          await eventually(async () => expect(await send()).toBe(200), { timeoutMs: 30_000 });
        }
      };
      await Promise.all(Array.from({ length: 16 }, lane));
      proof.fired(count);
      expect(await shop.db.inboxMessage.count({ where: { orderId } })).toBe(count);
      shop.sandbox.faults.clear();
      const handle = shop.checkoutOf(orderId);
      expect(await handle.result()).toEqual({ status: 'shipped', reason: null });
      await expectShipped(shop, orderId);
      expect((await handle.describe()).historyLength).toBeLessThan(200);
    },
    300_000,
  );
});
