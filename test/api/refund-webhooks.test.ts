import { beforeEach, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { openRemainingRefund } from '../../prisma/payments/compensation-refunds.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import {
  recordRefundFailed,
  recordRefundPending,
  recordRefundSucceeded,
} from '../../prisma/payments/refund-outcomes.ts';
import {
  recordCancelled,
  recordCancelling,
  recordStockReleased,
} from '../../prisma/orders/record-steps.ts';
import { refundCalls } from './refund-calls.ts';
import { acceptRefund } from '../support/refunding.ts';
import { sendPaymentWebhook, webhookPayload, passWebhooks } from '../support/provider-messages.ts';
import { paidOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';
import { moveAtProvider, refundInDashboard } from '../support/provider-refunds.ts';
import type { Refund } from '../../domain/refund.ts';
import { findUnstartedRefunds, listRefunds } from '../../prisma/payments/refunds.ts';

const shop = useShop();
const { refund } = refundCalls(shop);
let orderId: OrderId;
let sent = 0;
beforeEach(async () => {
  await shop.db.inboxMessage.deleteMany({});
  orderId = await paidOrder(shop);
});

/** Sends the webhook with the amount of the charge that is refunded in all; returns its outcome. */
async function charged(amount_refunded: number): Promise<string | null> {
  const payment_intent = await paymentReference();
  const about = { payment_intent, metadata: { order_id: orderId }, currency: 'eur' };
  return send('charge.refunded', { object: 'charge', id: 'ch_1', ...about, amount_refunded });
}

/** Sends a webhook about the refund; returns its outcome. */
async function refundWebhook(type: string, reference: string): Promise<string | null> {
  const payment_intent = await paymentReference();
  // What the webhook says of the refund is not believed.
  const lie = { amount: 1, currency: 'usd', status: 'failed', metadata: { order_id: orderId } };
  return send(type, { object: 'refund', id: reference, payment_intent, ...lie });
}

async function paymentReference(): Promise<string | null> {
  return (await paymentOf()).providerReference;
}

async function send(type: string, object: object): Promise<string | null> {
  const id = `evt_${(sent += 1)}`;
  const payload = webhookPayload(id, type, object);
  expect((await sendPaymentWebhook(shop, payload)).status).toBe(200);
  await passWebhooks(shop);
  return outcome(id);
}

const paymentOf = () => shop.db.payment.findUniqueOrThrow({ where: { orderId } });

async function requirePaymentOf() {
  const payment = await findPayment(shop.db, orderId);
  if (payment === null) throw new Error('no payment');
  return payment;
}

const refundsOf = async () =>
  (await listRefunds(shop.db, orderId)).map(({ cause, status, amountMinor }) => [
    cause,
    status,
    amountMinor,
  ]);

/** The provider has refunded it, and our process has not recorded the response. */
async function refundedAtProvider(refund: Refund): Promise<string> {
  const reference = (await paymentReference()) ?? '';
  const { key, amountMinor, currency } = refund;
  const made = await shop.gateways.payments.refund({
    key,
    orderId,
    reference,
    amount: { amountMinor, currency },
  });
  if (made.kind !== 'done') throw new Error(made.kind);
  return made.reference;
}

async function outcome(id = `evt_${sent}`): Promise<string | null> {
  return (await shop.db.inboxMessage.findFirstOrThrow({ where: { id } })).outcome;
}

/** Its outcome at last. */
async function finalOutcome(): Promise<string | null> {
  await passWebhooks(shop, { finalAfterMs: 0 });
  return outcome();
}

test('a webhook about a recorded partial refund is confirmed, and one about a pending refund stays open', async () => {
  const first = await acceptRefund(shop.db, orderId, 500);
  expect(await charged(500)).toBeNull();
  await recordRefundSucceeded(shop.db, first, 're_1');
  expect(await charged(500)).toBe('confirmed');
  const second = await acceptRefund(shop.db, orderId, 700);
  expect(await charged(1_200)).toBeNull();
  await recordRefundSucceeded(shop.db, second, 're_2');
  await passWebhooks(shop);
  expect(await outcome()).toBe('confirmed');
});

test('a webhook about a requested refund without a response is closed as requested', async () => {
  await acceptRefund(shop.db, orderId, 500);
  await charged(500);
  expect(await finalOutcome()).toBe('requested');
});

test('a webhook about more money than all our refunds is closed as unexpected', async () => {
  await recordRefundSucceeded(shop.db, await acceptRefund(shop.db, orderId, 500), 're_1');
  await acceptRefund(shop.db, orderId, 200);
  expect(await charged(701)).toBeNull();
  expect(await finalOutcome()).toBe('unexpected');
});

test('a webhook about a refund that the provider refused is closed as unexpected', async () => {
  const refused = await acceptRefund(shop.db, orderId, 500);
  await recordRefundFailed(shop.db, refused, 'insufficient_funds');
  await charged(500);
  expect(await finalOutcome()).toBe('unexpected');
});

describe('webhooks of refunds', () => {
  test('a webhook before the response settles our refund once, and wakes its workflow', async () => {
    const refund = await acceptRefund(shop.db, orderId, 500);
    const reference = await refundedAtProvider(refund);
    expect(await refundWebhook('refund.created', reference)).toBe('handled');
    expect(await refundWebhook('refund.updated', reference)).toBe('handled');
    expect(await charged(500)).toBe('confirmed');
    expect(await refundsOf()).toEqual([['requested', 'succeeded', 500]]);
    expect(shop.refunds.woken.map(({ refundId }) => refundId)).toEqual([refund.id]);
    // The response comes last.
    await recordRefundSucceeded(shop.db, refund, reference);
    expect(await paymentOf()).toMatchObject({ refundedMinor: 500, refundingMinor: 0 });
  });

  test('a refund that fails after it succeeded is available again, asks a person once and is discarded by them', async () => {
    const refund = await acceptRefund(shop.db, orderId, 500);
    const reference = await refundedAtProvider(refund);
    await recordRefundSucceeded(shop.db, refund, reference);
    expect(await paymentOf()).toMatchObject({ status: 'partially_refunded', refundedMinor: 500 });
    await moveAtProvider(shop, reference, 'failed');
    for (const type of ['refund.failed', 'refund.updated', 'refund.failed']) {
      expect(await refundWebhook(type, reference)).toBe('handled');
    }
    expect(await refundsOf()).toEqual([['requested', 'failed', 500]]);
    expect(await paymentOf()).toMatchObject({ status: 'captured', refundedMinor: 0 });
    const events = await shop.db.event.findMany({ where: { orderId, type: 'refund.failed' } });
    expect(events.map(({ data }) => data)).toMatchObject([{ reversed_minor: 500 }]);
    const [deadLetter] = await shop.db.deadLetter.findMany({ where: { orderId } });
    expect(deadLetter).toMatchObject({ source: 'refund', status: 'open', subject: refund.id });
    const decide = (decision: string, body: object) =>
      shop.request('POST', `/v1/dead-letters/${deadLetter?.id ?? ''}/${decision}`, {
        role: 'operator',
        key: crypto.randomUUID(),
        body,
      });
    const redriven = await decide('redrive', {});
    expect([redriven.status, await redriven.text()]).toEqual([
      409,
      expect.stringContaining('Request a new one'),
    ]);
    expect((await decide('discard', { note: 'paid by bank transfer' })).status).toBe(200);
    expect(await acceptRefund(shop.db, orderId)).toMatchObject({ amountMinor: 2_400 });
  });

  test('a refund of a cancelled order that fails later can be requested again, to the card alone', async () => {
    const rest = await openRemainingRefund(shop.db, await requirePaymentOf());
    if (rest === null) throw new Error('nothing is left');
    const reference = await refundedAtProvider(rest);
    await recordRefundPending(shop.db, rest, { reference, status: 'pending' });
    await recordCancelling(shop.db, orderId, { reason: 'requested_by_customer', request: null });
    await recordStockReleased(shop.db, orderId);
    await recordCancelled(shop.db, orderId, 'requested_by_customer');
    const unstarted = await findUnstartedRefunds(shop.db, [rest.id]);
    expect(unstarted.map(({ refundId }) => refundId)).toEqual([rest.id]);
    await moveAtProvider(shop, reference, 'canceled');
    expect(await refundWebhook('refund.updated', reference)).toBe('handled');
    expect(await refundsOf()).toEqual([['order_cancelled', 'canceled', 2_400]]);
    const again = (to: string) => refund(orderId, { to });
    expect(await (await again('credit')).json()).toMatchObject({ reason: 'credit_after_cancel' });
    expect((await again('original')).status).toBe(202);
    expect(await (await again('original')).json()).toMatchObject({ reason: 'already_cancelled' });
  });
});

describe('refunds made in the dashboard', () => {
  test('a refund made in the dashboard is recorded once, by whichever webhook comes first', async () => {
    const reference = await refundInDashboard(shop, await paymentReference(), { amount: 700 });
    for (const _ of [1, 2]) {
      expect(await refundWebhook('refund.created', reference)).toBe('handled');
      expect(await charged(700)).toBe('confirmed');
    }
    expect(await refundsOf()).toEqual([['provider', 'succeeded', 700]]);
    expect(await paymentOf()).toMatchObject({ refundedMinor: 700, status: 'partially_refunded' });
    expect(await shop.db.event.count({ where: { orderId, type: 'refund.external' } })).toBe(1);
    expect(await shop.db.event.count({ where: { orderId, type: 'refund.succeeded' } })).toBe(1);
    expect(shop.refunds.woken).toHaveLength(1);
  });

  test('a refund made in the dashboard waits for one of ours that claims the same money', async () => {
    const ours = await acceptRefund(shop.db, orderId, 2_000);
    const reference = await refundInDashboard(shop, await paymentReference(), { amount: 1_000 });
    expect(await refundWebhook('refund.created', reference)).toBeNull();
    expect(await charged(1_000)).toBeNull();
    expect(await refundsOf()).toEqual([['requested', 'requested', 2_000]]);
    await recordRefundFailed(shop.db, ours, 'amount_too_large');
    expect(await refundWebhook('refund.updated', reference)).toBe('handled');
    expect(await refundsOf()).toEqual([
      ['requested', 'failed', 2_000],
      ['provider', 'succeeded', 1_000],
    ]);
  });

  test('a pending refund made in the dashboard is followed like one of ours', async () => {
    const about = { amount: 400, status: 'pending' } as const;
    const reference = await refundInDashboard(shop, await paymentReference(), about);
    expect(await refundWebhook('refund.created', reference)).toBe('handled');
    expect(await refundsOf()).toEqual([['provider', 'pending', 400]]);
    expect(await paymentOf()).toMatchObject({ refundedMinor: 0, refundingMinor: 400 });
    await moveAtProvider(shop, reference, 'succeeded');
    expect(await refundWebhook('refund.updated', reference)).toBe('handled');
    expect(await refundsOf()).toEqual([['provider', 'succeeded', 400]]);
  });

  test('a refund made in the dashboard is recorded also when it equals what the capture has released', async () => {
    const { amountMinor } = await paymentOf();
    const captured = { capturedMinor: amountMinor - 700 };
    await shop.db.payment.update({ where: { orderId }, data: captured });
    const reference = await refundInDashboard(shop, await paymentReference(), { amount: 700 });
    expect(await refundWebhook('refund.created', reference)).toBe('handled');
    expect(await refundsOf()).toEqual([['provider', 'succeeded', 700]]);
  });

  test('a webhook about a refund that the provider does not have is closed', async () => {
    expect(await refundWebhook('refund.created', 're_unknown')).toBe('unknown_payment');
    expect(await refundsOf()).toEqual([]);
  });
});
