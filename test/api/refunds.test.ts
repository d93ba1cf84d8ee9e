import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { MAX_REFUNDS } from '../../domain/refund.ts';
import { recordCancelled, recordCancelling, recordStockReleased } from '../../prisma/fulfilment.ts';
import { findRefund, listRefunds } from '../../prisma/refunds.ts';
import {
  openRestRefund,
  recordRefundFailed,
  recordRefundSucceeded,
} from '../../prisma/refund-outcomes.ts';
import { findPayment } from '../../prisma/payments.ts';
import { listOf, problemOf } from './bodies.ts';
import { paidOrder, placedOrder, shippedOrder } from './paid-order.ts';
import { createShop, type Shop } from './shop.ts';

const REASON = 'arrived broken, says canary.person@example.com';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
beforeEach(() => {
  shop.refunds.started.length = 0;
  shop.checkouts.reachable = true;
});
afterAll(() => shop.close());

const ask = (id: string, body: object = {}, key: string = crypto.randomUUID()) =>
  shop.ask('POST', `/v1/orders/${id}/refunds`, {
    role: 'operator',
    key,
    body: { reason: REASON, ...body },
  });
const show = (path: string) => shop.ask('GET', path, { role: 'operator' });
const paymentOf = (orderId: OrderId) => shop.db.payment.findUniqueOrThrow({ where: { orderId } });

async function settle(orderId: OrderId, outcome: 'succeeded' | 'failed'): Promise<void> {
  const refund = (await listRefunds(shop.db, orderId)).at(-1);
  if (!refund) throw new Error('no refund');
  if (outcome === 'succeeded') await recordRefundSucceeded(shop.db, refund, 're_1');
  else await recordRefundFailed(shop.db, refund, 'insufficient_funds');
}

describe('202', () => {
  test.each([
    ['paid', paidOrder],
    ['shipped', shippedOrder],
  ])('%s: all that is left, when no amount is given', async (_, ordered) => {
    const orderId = await ordered(shop);
    const response = await ask(orderId);
    expect(response.status).toBe(202);
    const body = JSON.parse(await response.text());
    expect(response.headers.get('location')).toBe(`/v1/refunds/${body.id}`);
    expect(body).toEqual({
      object: 'refund',
      id: expect.stringMatching(/^rfd_[0-9a-z]{26}$/),
      order_id: orderId,
      status: 'requested',
      cause: 'requested',
      amount_minor: 2_400,
      currency: 'EUR',
      reason: REASON,
      failure_code: null,
      requested_at: expect.any(String),
      settled_at: null,
    });
    expect(await (await show(`/v1/refunds/${body.id}`)).json()).toEqual(body);
    const { data } = await listOf(await show(`/v1/orders/${orderId}/refunds`));
    expect(data).toEqual([body]);
  });

  test("its key and its event are written with it; a person's words stay out of the event", async () => {
    const orderId = await paidOrder(shop);
    const { id } = JSON.parse(await (await ask(orderId, { amount_minor: 500 })).text());
    const operations = await shop.db.paymentOperation.findMany({
      where: { orderId, kind: 'refund' },
    });
    expect(operations).toMatchObject([
      { key: `${orderId}/refund/${id}`, state: 'requested', amountMinor: 500, currency: 'EUR' },
    ]);
    const events = await shop.db.event.findMany({ where: { orderId }, orderBy: { seq: 'asc' } });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({
      type: 'refund.requested',
      data: { refund_id: id, amount_minor: 500, currency: 'EUR' },
    });
    expect(JSON.stringify(events.map(({ data }) => data))).not.toContain('canary');
    expect(await paymentOf(orderId)).toMatchObject({
      status: 'captured',
      refundedMinor: 0,
      refundingMinor: 500,
    });
  });

  test('its workflow is started after the answer, with ids and amounts only', async () => {
    const orderId = await paidOrder(shop);
    const { id } = JSON.parse(await (await ask(orderId, { amount_minor: 500 })).text());
    await shop.services.starts.drain();
    expect(shop.refunds.started).toEqual([
      {
        refundId: id,
        orderId,
        amountMinor: 500,
        currency: 'EUR',
        correlationId: expect.any(String),
        traceparent: null,
      },
    ]);
    const row = await shop.db.refund.findUniqueOrThrow({ where: { id } });
    expect(row.workflowStartedAt).not.toBeNull();
  });

  test('also with Temporal away: accepted, and left for the event log to start', async () => {
    shop.checkouts.reachable = false;
    const response = await ask(await paidOrder(shop));
    expect(response.status).toBe(202);
    await shop.services.starts.drain();
    const { id } = JSON.parse(await response.text());
    const row = await shop.db.refund.findUniqueOrThrow({ where: { id } });
    expect(row.workflowStartedAt).toBeNull();
  });

  test('in parts, to exactly nothing left', async () => {
    const orderId = await shippedOrder(shop);
    expect((await ask(orderId, { amount_minor: 1_000 })).status).toBe(202);
    await settle(orderId, 'succeeded');
    expect(await paymentOf(orderId)).toMatchObject({ status: 'partially_refunded' });
    expect((await ask(orderId, { amount_minor: 1_400 })).status).toBe(202);
    await settle(orderId, 'succeeded');
    expect(await paymentOf(orderId)).toMatchObject({
      status: 'refunded',
      refundedMinor: 2_400,
      refundingMinor: 0,
    });
    const problem = await problemOf(await ask(orderId));
    expect(problem).toMatchObject({ code: 'refund_exceeds_captured', refundable_minor: 0 });
  });

  test('what the provider refused can be asked for again', async () => {
    const orderId = await paidOrder(shop);
    expect((await ask(orderId)).status).toBe(202);
    await settle(orderId, 'failed');
    expect(await paymentOf(orderId)).toMatchObject({ status: 'captured', refundingMinor: 0 });
    expect((await ask(orderId)).status).toBe(202);
    const statuses = (await listRefunds(shop.db, orderId)).map(({ status }) => status);
    expect(statuses).toEqual(['failed', 'requested']);
  });

  test("on the order: without the operator's words", async () => {
    const orderId = await paidOrder(shop);
    await ask(orderId, { amount_minor: 700 });
    await settle(orderId, 'succeeded');
    const order = JSON.parse(await (await shop.ask('GET', `/v1/orders/${orderId}`)).text());
    expect(order.payment).toMatchObject({ status: 'partially_refunded', refunded_minor: 700 });
    expect(order.refunds).toMatchObject([
      { status: 'succeeded', cause: 'requested', amount_minor: 700, currency: 'EUR' },
    ]);
    expect(JSON.stringify(order)).not.toContain('canary');
  });
});

describe('the same Idempotency-Key', () => {
  test('gets the same bytes, also after the refund has moved on, and one refund', async () => {
    const orderId = await paidOrder(shop);
    const first = await ask(orderId, {}, 'same');
    const body = await first.text();
    await settle(orderId, 'succeeded');
    for (const _ of [1, 2]) {
      const again = await ask(orderId, {}, 'same');
      expect([again.status, await again.text()]).toEqual([202, body]);
      expect(again.headers.get('location')).toBe(first.headers.get('location'));
      expect(again.headers.get('idempotent-replayed')).toBe('true');
    }
    expect(await listRefunds(shop.db, orderId)).toHaveLength(1);
  });

  test('with another body is 422; without a key 400', async () => {
    const orderId = await paidOrder(shop);
    await ask(orderId, { amount_minor: 100 }, 'reused');
    const reused = await problemOf(await ask(orderId, { amount_minor: 101 }, 'reused'));
    expect(reused).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    const asked = { role: 'operator', body: { reason: 'x' } } as const;
    const path = `/v1/orders/${orderId}/refunds`;
    expect((await problemOf(await shop.ask('POST', path, asked))).code).toBe(
      'idempotency_key_required',
    );
  });

  test('a refusal leaves it free', async () => {
    const orderId = await paidOrder(shop);
    expect((await ask(orderId, { amount_minor: 2_401 }, 'free')).status).toBe(422);
    expect((await ask(orderId, { amount_minor: 2_400 }, 'free')).status).toBe(202);
  });
});

describe('409 not_refundable', () => {
  test('nothing was taken yet: cancel instead', async () => {
    const problem = await problemOf(await ask(await placedOrder(shop)));
    expect(problem).toMatchObject({ status: 409, code: 'not_refundable', reason: 'not_captured' });
    expect(problem.detail).toContain('Cancel the order');
  });

  test('what was captured by hand is given back by hand', async () => {
    const orderId = await placedOrder(shop);
    await shop.db.payment.update({ where: { orderId }, data: { capturedByHand: true } });
    const problem = await problemOf(await ask(orderId));
    expect(problem).toMatchObject({ status: 409, reason: 'captured_by_hand' });
    expect(problem.detail).toContain('by hand as well');
  });

  test('an order that is being undone, or was, gives everything back itself', async () => {
    const orderId = await paidOrder(shop);
    await recordCancelling(shop.db, orderId, { reason: 'requested_by_customer', request: null });
    const undoing = await problemOf(await ask(orderId));
    expect(undoing).toMatchObject({ status: 409, reason: 'being_cancelled' });
    const payment = await findPayment(shop.db, orderId);
    const rest = payment && (await openRestRefund(shop.db, payment));
    if (rest) await recordRefundSucceeded(shop.db, rest, 're_1');
    await recordStockReleased(shop.db, orderId);
    await recordCancelled(shop.db, orderId, 'requested_by_customer');
    expect(await problemOf(await ask(orderId))).toMatchObject({ reason: 'already_cancelled' });
    const { data } = await listOf(await show(`/v1/orders/${orderId}/refunds`));
    expect(data).toMatchObject([
      { cause: 'order_cancelled', status: 'succeeded', amount_minor: 2_400, reason: null },
    ]);
  });

  test(`an order has at most ${MAX_REFUNDS}`, async () => {
    const orderId = await paidOrder(shop);
    for (let count = 0; count < MAX_REFUNDS; count += 1) {
      expect((await ask(orderId, { amount_minor: 1 })).status).toBe(202);
    }
    expect(await problemOf(await ask(orderId))).toMatchObject({ reason: 'too_many_refunds' });
  });
});

describe('422', () => {
  test('more than is left, counting what is on its way, and how much that is', async () => {
    const orderId = await paidOrder(shop);
    await ask(orderId, { amount_minor: 2_000 });
    const problem = await problemOf(await ask(orderId, { amount_minor: 401 }));
    expect(problem).toMatchObject({
      status: 422,
      code: 'refund_exceeds_captured',
      refundable_minor: 400,
      currency: 'EUR',
    });
    expect(problem.detail).toContain('€4.00');
  });

  test.each([
    [{ amount_minor: 0 }, '#/amount_minor'],
    [{ amount_minor: 1.5 }, '#/amount_minor'],
    [{ amount_minor: -1 }, '#/amount_minor'],
    [{ amount_minor: '100' }, '#/amount_minor'],
    [{ reason: '' }, '#/reason'],
    [{ reason: undefined }, '#/reason'],
    [{ currency: 'USD' }, '#/currency'],
  ])('%j', async (body, pointer) => {
    const problem = await problemOf(await ask(await placedOrder(shop), body));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(problem.errors).toMatchObject([{ pointer }]);
  });
});

describe('who may, and what is not there', () => {
  test('a storefront may not refund, nor see refunds', async () => {
    const orderId = await placedOrder(shop);
    const refused = [
      await shop.ask('POST', `/v1/orders/${orderId}/refunds`, { key: 'x', body: { reason: 'x' } }),
      await shop.ask('GET', `/v1/orders/${orderId}/refunds`),
      await shop.ask('GET', '/v1/refunds/rfd_01k9zq3v5nfa3s4w1m6t2y8h7c'),
    ];
    for (const response of refused) expect((await problemOf(response)).code).toBe('forbidden');
  });

  test.each(['rfd_nope', 'nope', '%00', 'rfd_01k9zq3v5nfa3s4w1m6t2y8h7c'])(
    '404: %s',
    async (id) => {
      expect((await problemOf(await show(`/v1/refunds/${id}`))).code).toBe('refund_not_found');
    },
  );

  test('404 for an order nobody knows', async () => {
    expect((await problemOf(await ask('ord_nope'))).code).toBe('order_not_found');
    expect((await problemOf(await show('/v1/orders/ord_nope/refunds'))).code).toBe(
      'order_not_found',
    );
  });
});

test('its outcome is written once, however often and by however many it is told', async () => {
  const orderId = await paidOrder(shop);
  const { id } = JSON.parse(await (await ask(orderId, { amount_minor: 900 })).text());
  const refund = await findRefund(shop.db, id);
  if (!refund) throw new Error('no refund');
  await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      index % 2 === 0
        ? recordRefundSucceeded(shop.db, refund, 're_1')
        : recordRefundFailed(shop.db, refund, 'insufficient_funds'),
    ),
  );
  const settled = await findRefund(shop.db, id);
  const { refundedMinor, refundingMinor } = await paymentOf(orderId);
  expect([refundedMinor, refundingMinor]).toEqual([settled?.status === 'succeeded' ? 900 : 0, 0]);
  const events = await shop.db.event.findMany({ where: { orderId } });
  const told = events.filter(({ type }) => ['refund.succeeded', 'refund.failed'].includes(type));
  expect(told.map(({ type }) => type)).toEqual([`refund.${settled?.status}`]);
});
