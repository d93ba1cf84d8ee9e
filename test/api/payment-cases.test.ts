import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../../prisma/client/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import {
  recordCancelled,
  recordCancelling,
  recordStockReleased,
} from '../../prisma/orders/record-steps.ts';
import { recordCase } from '../../prisma/payments/cases.ts';
import { openRemainingRefund } from '../../prisma/payments/compensation-refunds.ts';
import { recordRefundSucceeded } from '../../prisma/payments/refund-outcomes.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { orderViewSchema } from '../../api/schemas/orders.ts';
import {
  atProvider,
  openCase,
  referenceOf,
  sendCaseWebhook,
  type Opened,
} from '../support/cases.ts';
import { passWebhooks } from '../support/provider-messages.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { paidOrder, placedOrder, shippedOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();
const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;
let orderId: OrderId;
beforeEach(async () => {
  await shop.db.inboxMessage.deleteMany({});
  orderId = await paidOrder(shop);
});

const outcomeOf = async (id: string) =>
  (await shop.db.inboxMessage.findFirstOrThrow({ where: { id } })).outcome;
const pass = (limits: object = {}) => passWebhooks(shop, limits);
const disputedMinor = async () => (await findPayment(shop.db, orderId))?.disputedMinor;

async function view(role: 'operator' | 'storefront' = 'operator') {
  const response = await shop.request('GET', `/v1/orders/${orderId}`, { role });
  return orderViewSchema.parse(await response.json());
}

/** A refund that is requested, and made by the provider. */
async function refunded(body: object): Promise<void> {
  const response = await refund(body);
  expect(response.status, await response.clone().text()).toBe(202);
  const requested = (await listRefunds(shop.db, orderId)).find(
    ({ status }) => status === 'requested',
  );
  if (requested) await recordRefundSucceeded(shop.db, requested, `re_${randomUUID()}`);
}

const letterStatus = async () =>
  (await shop.db.deadLetter.findFirstOrThrow({ where: { orderId } })).status;

async function refund(body: object = {}) {
  const key = randomUUID();
  return shop.request('POST', `/v1/orders/${orderId}/refunds`, {
    role: 'operator',
    key,
    body: { reason: 'a test', ...body },
  });
}

const dispute = (about: object = {}) => openCase(shop, orderId, ['disputes', about]);
const close = ({ id }: Opened, status: string) =>
  atProvider(shop, `/payments/disputes/${id}/close`, { status });

describe('a dispute', () => {
  test('a dispute is an event and a case of its order, with what can be done about it', async () => {
    const opened = await dispute({ reason: 'product_not_received' });
    const id = await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    expect(await outcomeOf(id)).toBe('handled');
    const { payment } = await view();
    expect(payment?.disputed_minor).toBe(2_400);
    expect(payment?.cases).toMatchObject([
      {
        id: opened.id,
        kind: 'dispute',
        status: 'needs_response',
        reason: 'product_not_received',
        amount_minor: 2_400,
        currency: 'EUR',
        is_open: true,
        closed_at: null,
      },
    ]);
    const [shown] = payment?.cases ?? [];
    expect(shown?.actions.map(({ action }) => action)).toEqual(['respond', 'cancel']);
    expect(shown?.actions[0]?.effect).toContain(`until ${shown?.respond_by}`);
    expect((await view('storefront')).payment?.cases).toEqual([]);
    const event = await shop.db.event.findFirstOrThrow({
      where: { orderId, type: 'payment.disputed' },
    });
    expect(event.data).toMatchObject({ case_id: opened.id, amount_minor: 2_400, currency: 'EUR' });
  });

  test('the money of an open dispute cannot be refunded, and the rest of the payment can', async () => {
    await sendCaseWebhook(shop, 'charge.dispute.created', await dispute({ amount: 1_500 }));
    const exceeding = await refund({ amount_minor: 901 });
    expect(exceeding.status).toBe(422);
    const second = await dispute({ amount: 900 });
    await sendCaseWebhook(shop, 'charge.dispute.created', second);
    expect(await disputedMinor()).toBe(2_400);
    const refused = await refund();
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: 'not_refundable', reason: 'disputed' });
    await close(second, 'won');
    await sendCaseWebhook(shop, 'charge.dispute.closed', second);
    expect((await refund({ amount_minor: 901 })).status).toBe(422);
    expect((await refund({ amount_minor: 900 })).status).toBe(202);
  });

  test.each([
    ['won', 0, 202],
    ['lost', 2_400, 409],
    ['prevented', 0, 202],
  ])('a dispute that is %s leaves %i of the money with the bank', async (status, minor, code) => {
    const opened = await dispute();
    await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    await close(opened, status);
    await sendCaseWebhook(shop, 'charge.dispute.closed', opened);
    expect(await disputedMinor()).toBe(minor);
    const [{ is_open: isOpen, actions, closed_at: closedAt } = {}] =
      (await view()).payment?.cases ?? [];
    expect({ isOpen, actions, closed: closedAt !== null }).toEqual({
      isOpen: false,
      actions: [],
      closed: true,
    });
    expect((await refund()).status).toBe(code);
    expect(await eventTypesOf(shop, orderId)).toContain('payment.dispute_closed');
  });

  test.each(['before', 'after'])(
    'a dispute won %s its order is cancelled asks a person, until the money is refunded',
    async (when) => {
      const opened = await dispute();
      await sendCaseWebhook(shop, 'charge.dispute.created', opened);
      await recordCancelling(shop.db, orderId, { reason: 'requested_by_operator', request: null });
      // The compensation finds nothing left to refund.
      const payment = await findPayment(shop.db, orderId);
      expect(payment && (await openRemainingRefund(shop.db, payment))).toBeNull();
      await recordStockReleased(shop.db, orderId);
      if (when === 'after') await recordCancelled(shop.db, orderId, 'requested_by_operator');
      expect(await shop.db.deadLetter.count({ where: { orderId } })).toBe(0);
      await close(opened, 'won');
      for (const type of ['closed', 'funds_reinstated']) {
        await sendCaseWebhook(shop, `charge.dispute.${type}`, opened);
      }
      if (when === 'before') await recordCancelled(shop.db, orderId, 'requested_by_operator');
      const [asked, ...others] = await shop.db.deadLetter.findMany({ where: { orderId } });
      expect(asked).toMatchObject({ source: 'refund', subject: 'dispute', status: 'open' });
      expect(asked?.error).toContain('24.00');
      expect(others).toEqual([]);
      const redriven = await shop.request('POST', `/v1/dead-letters/${asked?.id}/redrive`, {
        role: 'operator',
        key: randomUUID(),
        body: {},
      });
      expect([redriven.status, await redriven.text()]).toEqual([
        409,
        expect.stringContaining('Request a new one'),
      ]);
      await refunded({ amount_minor: 1_000 });
      expect(await letterStatus()).toBe('open');
      await refunded({ amount_minor: 1_400 });
      expect(await letterStatus()).toBe('resolved');
    },
  );

  test('a dispute that is lost after its order was cancelled needs no decision', async () => {
    const opened = await dispute();
    await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    await recordCancelling(shop.db, orderId, { reason: 'requested_by_operator', request: null });
    await recordStockReleased(shop.db, orderId);
    await recordCancelled(shop.db, orderId, 'requested_by_operator');
    await close(opened, 'lost');
    await sendCaseWebhook(shop, 'charge.dispute.closed', opened);
    expect(await shop.db.deadLetter.count({ where: { orderId } })).toBe(0);
  });

  test('an inquiry takes no money, can be refunded, and may become a dispute', async () => {
    const opened = await dispute({ inquiry: true });
    await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    expect(await disputedMinor()).toBe(0);
    const [shown] = (await view()).payment?.cases ?? [];
    expect(shown?.actions.map(({ action }) => action)).toEqual(['respond', 'refund', 'cancel']);
    await close(opened, 'needs_response');
    await sendCaseWebhook(shop, 'charge.dispute.updated', opened);
    expect(await disputedMinor()).toBe(2_400);
    const types = await eventTypesOf(shop, orderId);
    expect(types.filter((type) => type === 'payment.disputed')).toHaveLength(2);
  });
});

describe('a webhook about a case', () => {
  test('webhooks about a dispute may come twice, late and in any order', async () => {
    const opened = await dispute();
    await close(opened, 'lost');
    for (const type of ['closed', 'funds_withdrawn', 'created', 'closed', 'updated']) {
      await sendCaseWebhook(shop, `charge.dispute.${type}`, opened);
    }
    expect(await disputedMinor()).toBe(2_400);
    const types = (await eventTypesOf(shop, orderId)).filter((type) => type.startsWith('payment.'));
    expect(types).toEqual(['payment.disputed', 'payment.dispute_closed']);
  });

  test('a case that outlives the events of its order is announced once, and its end is recorded', async () => {
    orderId = await shippedOrder(shop);
    const [disputed, reviewed] = [await dispute(), await openCase(shop, orderId, ['reviews'])];
    await sendCaseWebhook(shop, 'charge.dispute.created', disputed);
    await sendCaseWebhook(shop, 'review.opened', reviewed);
    await shop.db.event.deleteMany({ where: { orderId } });
    await close(disputed, 'lost');
    await sendCaseWebhook(shop, 'charge.dispute.closed', disputed);
    await atProvider(shop, `/payments/reviews/${reviewed.id}/approve`);
    await sendCaseWebhook(shop, 'review.closed', reviewed);
    expect(await eventTypesOf(shop, orderId)).toEqual([
      'payment.dispute_closed',
      'payment.review_closed',
    ]);
  });

  test('the answer to an earlier look-up never replaces the answer to a later one', async () => {
    const opened = await dispute();
    await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    const { id, status, reason } = await shop.db.paymentCase.findFirstOrThrow({
      where: { id: opened.id },
    });
    const state = {
      id,
      kind: 'dispute' as const,
      status,
      reason,
      amountMinor: 2_400,
      currency: 'EUR',
      isOpen: true,
      respondBy: null,
      openedAt: new Date().toISOString(),
    };
    await close(opened, 'won');
    await sendCaseWebhook(shop, 'charge.dispute.closed', opened);
    const askedAt = new Date(Date.now() - 3_600_000).toISOString();
    expect(await recordCase(shop.db, orderId, { state, askedAt })).toEqual({ kind: 'outdated' });
    expect(await disputedMinor()).toBe(0);
  });

  test('a webhook waits while the provider is away, and is a dead letter after days, which a redrive repeats', async () => {
    const opened = await dispute();
    shop.sandbox.faults.set(LOOK_UP, { mode: 'fail_before' });
    const id = await sendCaseWebhook(shop, 'charge.dispute.created', opened);
    await pass();
    expect(await outcomeOf(id)).toBeNull();
    await pass({ giveUpAfterMs: 0 });
    expect(await outcomeOf(id)).toBe('dead_lettered');
    const deadLetter = await shop.db.deadLetter.findFirstOrThrow({ where: { subject: id } });
    expect(deadLetter).toMatchObject({ source: 'webhook', status: 'open' });
    expect(deadLetter.error).toContain('charge.dispute.created');
    shop.sandbox.faults.clear();
    const path = `/v1/dead-letters/${deadLetter.id}/redrive`;
    const redriven = await shop.request('POST', path, {
      role: 'operator',
      key: randomUUID(),
      body: { action: 'retry' },
    });
    expect(redriven.status, await redriven.clone().text()).toBe(202);
    await pass();
    expect(await outcomeOf(id)).toBe('handled');
    const { status } = await shop.db.deadLetter.findFirstOrThrow({ where: { id: deadLetter.id } });
    expect(status).toBe('resolved');
    expect(await disputedMinor()).toBe(2_400);
  });

  test('a case that is known before our record of its payment is applied once that is written', async () => {
    const placed = await placedOrder(shop);
    const opened = await openCase(shop, placed, ['warnings']);
    const reference = await referenceOf(shop, placed);
    await shop.db.payment.update({
      where: { orderId: placed },
      data: { providerReference: null, status: 'authorizing' },
    });
    await shop.db.order.update({ where: { id: placed }, data: { status: 'pending' } });
    const id = await sendCaseWebhook(shop, 'radar.early_fraud_warning.created', opened);
    expect(await outcomeOf(id)).toBeNull();
    await shop.db.payment.update({
      where: { orderId: placed },
      data: { providerReference: reference, status: 'authorized' },
    });
    await shop.db.order.update({ where: { id: placed }, data: { status: 'placed' } });
    await pass();
    expect(await outcomeOf(id)).toBe('handled');
    expect(await eventTypesOf(shop, placed)).toContain('payment.fraud_warning');
  });

  test('a case of a payment that is not ours is closed without an event, and counted', async () => {
    const foreign = await shop.gateways.payments.authorize({
      key: randomUUID(),
      orderId: newOrder(),
      amount: { amountMinor: 500, currency: 'EUR' },
      paymentMethod: 'pm_card_visa',
    });
    if (foreign.kind !== 'authorized') throw new Error(foreign.kind);
    const opened = await atProvider(shop, '/payments/reviews', {
      payment_intent: foreign.reference,
    });
    const id = await sendCaseWebhook(shop, 'review.opened', opened);
    const absent = { object: 'dispute', id: 'dp_of_another_account' };
    const other = await sendCaseWebhook(shop, 'charge.dispute.created', absent);
    expect([await outcomeOf(id), await outcomeOf(other)]).toEqual([
      'unknown_payment',
      'unknown_payment',
    ]);
    expect(await shop.db.paymentCase.count({ where: { id: opened.id } })).toBe(0);
    const metrics = await (await shop.request('GET', '/metrics', { role: null })).text();
    expect(metrics).toMatch(/holdfast_payment_cases_ignored_total\{kind="review"\} [1-9]/);
  });

  test('a webhook without its object is kept as not understood', async () => {
    const id = await sendCaseWebhook(shop, 'charge.dispute.created', {
      object: 'charge',
      id: 'ch_1',
    });
    expect(await outcomeOf(id)).toBe('not_understood');
  });
});

describe('a warning and a review', () => {
  test('a fraud warning says to refund, and ends when everything is refunded', async () => {
    const opened = await openCase(shop, orderId, ['warnings']);
    await sendCaseWebhook(shop, 'radar.early_fraud_warning.created', opened);
    const [shown] = (await view()).payment?.cases ?? [];
    expect(shown?.actions.map(({ action }) => action)).toEqual(['refund', 'cancel']);
    const reference = await referenceOf(shop, orderId);
    await shop.gateways.payments.refund({
      key: randomUUID(),
      orderId,
      reference,
      amount: { amountMinor: 2_400, currency: 'EUR' },
    });
    await sendCaseWebhook(shop, 'radar.early_fraud_warning.updated', opened);
    expect((await view()).payment?.cases).toMatchObject([
      { status: 'not_actionable', is_open: false },
    ]);
  });

  test('a review is opened and closed, and the list of orders finds the open ones', async () => {
    const opened = await openCase(shop, orderId, ['reviews']);
    await sendCaseWebhook(shop, 'review.opened', opened);
    const path = '/v1/orders?payment_case=open&limit=100';
    const listed = async () => {
      const response = await shop.request('GET', path, { role: 'operator' });
      const body = z.object({ data: z.array(z.object({ id: z.string() })) });
      return body.parse(await response.json()).data.map(({ id }) => id);
    };
    expect(await listed()).toContain(orderId);
    await atProvider(shop, `/payments/reviews/${opened.id}/approve`);
    await sendCaseWebhook(shop, 'review.closed', opened);
    expect(await listed()).not.toContain(orderId);
    const types = (await eventTypesOf(shop, orderId)).filter((type) => type.startsWith('payment.'));
    expect(types).toEqual(['payment.review_opened', 'payment.review_closed']);
  });

  test('the metrics count open cases by kind and say when a response to a dispute is due', async () => {
    await sendCaseWebhook(shop, 'charge.dispute.created', await dispute());
    const metrics = await (await shop.request('GET', '/metrics', { role: null })).text();
    expect(metrics).toMatch(/holdfast_payment_cases_open\{kind="dispute"\} [1-9]/);
    const [, due] = /^holdfast_dispute_response_due_seconds ([\d.]+)$/m.exec(metrics) ?? [];
    expect(Number(due)).toBeGreaterThan(8 * 86_400);
  });

  test('an order whose parcel has left can still be disputed, and cannot be cancelled for it', async () => {
    orderId = await shippedOrder(shop);
    await sendCaseWebhook(shop, 'charge.dispute.created', await dispute());
    const [shown] = (await view()).payment?.cases ?? [];
    expect(shown?.actions.map(({ action }) => action)).toEqual(['respond']);
  });
});

function newOrder(): OrderId {
  return newId('order');
}
