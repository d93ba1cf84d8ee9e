import { beforeEach, expect, test } from 'vitest';
import { processPaymentWebhooks } from '../../services/payment-webhooks/process.ts';
import type { OrderId } from '../../domain/ids.ts';
import {
  recordRefundFailed,
  recordRefundSucceeded,
} from '../../prisma/payments/refund-outcomes.ts';
import { acceptRefund } from '../support/refunding.ts';
import { sendPaymentWebhook, webhookPayload } from '../support/provider-messages.ts';
import { paidOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();
let orderId: OrderId;
let sent = 0;
beforeEach(async () => {
  await shop.db.inboxMessage.deleteMany({});
  orderId = await paidOrder(shop);
});

/** The provider tells how much of the charge is back in all; gives what became of the notice. */
async function charged(amount_refunded: number): Promise<string | null> {
  const payment = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
  const id = `evt_${(sent += 1)}`;
  const object = {
    object: 'charge',
    id: 'ch_1',
    payment_intent: payment.providerReference,
    metadata: { order_id: orderId },
    currency: 'eur',
    amount_refunded,
  };
  const payload = webhookPayload(id, 'charge.refunded', object);
  expect((await sendPaymentWebhook(shop, payload)).status).toBe(200);
  await processPaymentWebhooks(shop.services, { olderThanMs: 0, limit: 100 });
  return outcome(id);
}

async function outcome(id = `evt_${sent}`): Promise<string | null> {
  return (await shop.db.inboxMessage.findFirstOrThrow({ where: { id } })).outcome;
}

const classifyFinally = () =>
  processPaymentWebhooks(shop.services, { olderThanMs: 0, limit: 100, finalAfterMs: 0 });

test('a webhook about a recorded partial refund is confirmed, and one about a pending refund stays open', async () => {
  const first = await acceptRefund(shop.db, orderId, 500);
  expect(await charged(500)).toBeNull();
  await recordRefundSucceeded(shop.db, first, 're_1');
  expect(await charged(500)).toBe('confirmed');
  const second = await acceptRefund(shop.db, orderId, 700);
  expect(await charged(1_200)).toBeNull();
  await recordRefundSucceeded(shop.db, second, 're_2');
  await processPaymentWebhooks(shop.services, { olderThanMs: 0, limit: 100 });
  expect(await outcome()).toBe('confirmed');
});

test('a webhook about a requested refund without a response is closed as requested', async () => {
  await acceptRefund(shop.db, orderId, 500);
  await charged(500);
  await classifyFinally();
  expect(await outcome()).toBe('requested');
});

test('a webhook about more money than all our refunds is closed as unexpected', async () => {
  await recordRefundSucceeded(shop.db, await acceptRefund(shop.db, orderId, 500), 're_1');
  await acceptRefund(shop.db, orderId, 200);
  expect(await charged(701)).toBeNull();
  await classifyFinally();
  expect(await outcome()).toBe('unexpected');
});

test('a webhook about a refund that the provider refused is closed as unexpected', async () => {
  const refused = await acceptRefund(shop.db, orderId, 500);
  await recordRefundFailed(shop.db, refused, 'insufficient_funds');
  await charged(500);
  await classifyFinally();
  expect(await outcome()).toBe('unexpected');
});
