import Stripe from 'stripe';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { settleNotices } from '../../api/payment-notices.ts';
import type { OrderId } from '../../domain/ids.ts';
import { recordRefundFailed, recordRefundSucceeded } from '../../prisma/refund-outcomes.ts';
import { acceptRefund } from '../support/refunding.ts';
import { paidOrder } from './paid-order.ts';
import { createShop, WEBHOOK_SECRET, type Shop } from './shop.ts';

let shop: Shop;
let orderId: OrderId;
let sent = 0;
beforeAll(async () => {
  shop = await createShop();
});
beforeEach(async () => {
  await shop.db.inboxMessage.deleteMany({});
  orderId = await paidOrder(shop);
});
afterAll(() => shop.close());

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
  const payload = JSON.stringify({
    id,
    object: 'event',
    type: 'charge.refunded',
    data: { object },
  });
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: WEBHOOK_SECRET });
  const headers = { 'stripe-signature': signature };
  const asked = { role: null, body: payload, headers };
  expect((await shop.ask('POST', '/callbacks/payments', asked)).status).toBe(200);
  return outcome(id);
}

async function outcome(id = `evt_${sent}`): Promise<string | null> {
  return (await shop.db.inboxMessage.findFirstOrThrow({ where: { id } })).outcome;
}

const judgeForGood = () =>
  settleNotices(shop.services, { olderThanMs: 0, limit: 100, finalAfterMs: 0 });

test('a part that is booked is confirmed; the next part, under way, waits for its answer', async () => {
  const first = await acceptRefund(shop.db, orderId, 500);
  expect(await charged(500)).toBeNull();
  await recordRefundSucceeded(shop.db, first, 're_1');
  expect(await charged(500)).toBe('confirmed');
  const second = await acceptRefund(shop.db, orderId, 700);
  expect(await charged(1_200)).toBeNull();
  await recordRefundSucceeded(shop.db, second, 're_2');
  await settleNotices(shop.services, { olderThanMs: 0, limit: 100 });
  expect(await outcome()).toBe('confirmed');
});

test('one we asked for, whose answer stays away, is told apart', async () => {
  await acceptRefund(shop.db, orderId, 500);
  await charged(500);
  await judgeForGood();
  expect(await outcome()).toBe('asked_for');
});

test('more than all our refunds is said aloud, also beside refunds of ours', async () => {
  await recordRefundSucceeded(shop.db, await acceptRefund(shop.db, orderId, 500), 're_1');
  await acceptRefund(shop.db, orderId, 200);
  expect(await charged(701)).toBeNull();
  await judgeForGood();
  expect(await outcome()).toBe('unexpected');
});

test('a refund the provider refused us counts for nothing', async () => {
  const refused = await acceptRefund(shop.db, orderId, 500);
  await recordRefundFailed(shop.db, refused, 'insufficient_funds');
  await charged(500);
  await judgeForGood();
  expect(await outcome()).toBe('unexpected');
});
