import { describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import {
  recordRefundFailed,
  recordRefundSucceeded,
} from '../../prisma/payments/refund-outcomes.ts';
import { findRefund, findUnstartedRefunds, listRefunds } from '../../prisma/payments/refunds.ts';
import { listStuckRefunds } from '../../prisma/payments/stuck-refunds.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { paidOrder, shippedOrder } from '../support/orders.ts';
import { REASON, refundCalls } from './refund-calls.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop();

const { refund, show, settle } = refundCalls(shop);
const paymentOf = (orderId: OrderId) => shop.db.payment.findUniqueOrThrow({ where: { orderId } });

describe('POST /v1/orders/{id}/refunds: 202', () => {
  test.each([
    ['paid', paidOrder],
    ['shipped', shippedOrder],
  ])('a refund of a %s order without an amount covers the whole capture', async (_, ordered) => {
    const orderId = await ordered(shop);
    const response = await refund(orderId);
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
      credit_minor: 0,
      lines: [],
      reason: REASON,
      failure_code: null,
      provider_reference: null,
      requested_at: expect.any(String),
      settled_at: null,
    });
    expect(await (await show(`/v1/refunds/${body.id}`)).json()).toEqual(body);
    const { data } = await listOf(await show(`/v1/orders/${orderId}/refunds`));
    expect(data).toEqual([body]);
  });

  test('a refund is recorded with its operation key and its event, and the event omits the reason', async () => {
    const orderId = await paidOrder(shop);
    const { id } = JSON.parse(await (await refund(orderId, { amount_minor: 500 })).text());
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

  test('a refund starts its workflow with ids and amounts only, and the start is recorded', async () => {
    const orderId = await paidOrder(shop);
    const { id } = JSON.parse(await (await refund(orderId, { amount_minor: 500 })).text());
    await shop.services.starts.drain();
    expect(shop.refunds.started).toEqual([
      {
        refundId: id,
        orderId,
        amountMinor: 500,
        currency: 'EUR',
        correlationId: expect.any(String),
        traceparent: null,
        inspectable: false,
      },
    ]);
    const row = await shop.db.refund.findUniqueOrThrow({ where: { id } });
    expect(row.workflowStartedAt).not.toBeNull();
  });

  test('a refund of an inspectable order is inspectable wherever its workflow is started from', async () => {
    const orderId = await paidOrder(shop, {}, { headers: { prefer: 'inspectable' } });
    const { id } = JSON.parse(await (await refund(orderId, { amount_minor: 500 })).text());
    await shop.services.starts.drain();
    const inspectable = { refundId: id, inspectable: true };
    expect(shop.refunds.started.at(-1)).toMatchObject(inspectable);
    await shop.db.refund.update({ where: { id }, data: { workflowStartedAt: null } });
    expect(await findUnstartedRefunds(shop.db, [id])).toMatchObject([inspectable]);
    const still = { idleMs: 0, recheckMs: 0, limit: 100 };
    expect(await listStuckRefunds(shop.db, still)).toContainEqual(
      expect.objectContaining(inspectable),
    );
  });

  test('a refund is accepted while Temporal is unavailable, and its workflow is left unstarted', async () => {
    shop.checkouts.reachable = false;
    const response = await refund(await paidOrder(shop));
    expect(response.status).toBe(202);
    await shop.services.starts.drain();
    const { id } = JSON.parse(await response.text());
    const row = await shop.db.refund.findUniqueOrThrow({ where: { id } });
    expect(row.workflowStartedAt).toBeNull();
  });

  test('two partial refunds return the whole amount, and another refund is refused', async () => {
    const orderId = await shippedOrder(shop);
    expect((await refund(orderId, { amount_minor: 1_000 })).status).toBe(202);
    await settle(orderId, 'succeeded');
    expect(await paymentOf(orderId)).toMatchObject({ status: 'partially_refunded' });
    expect((await refund(orderId, { amount_minor: 1_400 })).status).toBe(202);
    await settle(orderId, 'succeeded');
    expect(await paymentOf(orderId)).toMatchObject({
      status: 'refunded',
      refundedMinor: 2_400,
      refundingMinor: 0,
    });
    const problem = await problemOf(await refund(orderId));
    expect(problem).toMatchObject({ code: 'refund_exceeds_captured', refundable_minor: 0 });
  });

  test('a refund that the provider refused can be requested again', async () => {
    const orderId = await paidOrder(shop);
    expect((await refund(orderId)).status).toBe(202);
    await settle(orderId, 'failed');
    expect(await paymentOf(orderId)).toMatchObject({ status: 'captured', refundingMinor: 0 });
    expect((await refund(orderId)).status).toBe(202);
    const statuses = (await listRefunds(shop.db, orderId)).map(({ status }) => status);
    expect(statuses).toEqual(['failed', 'requested']);
  });

  test("an order shows its refunds without the operator's reason", async () => {
    const orderId = await paidOrder(shop);
    await refund(orderId, { amount_minor: 700 });
    await settle(orderId, 'succeeded');
    const order = JSON.parse(await (await shop.request('GET', `/v1/orders/${orderId}`)).text());
    expect(order.payment).toMatchObject({ status: 'partially_refunded', refunded_minor: 700 });
    expect(order.refunds).toMatchObject([
      { status: 'succeeded', cause: 'requested', amount_minor: 700, currency: 'EUR' },
    ]);
    expect(JSON.stringify(order)).not.toContain('canary');
  });
});

describe('a refund by lines', () => {
  /** Lines of 3,600 and 2,500 with 500 of shipping and 10 % less: 5,990. */
  const ordered = () =>
    paidOrder(shop, {
      lines: [
        { sku: 'mug-white', quantity: 3 },
        { sku: 'tee-black-m', quantity: 1 },
      ],
      adjustments: [
        { kind: 'shipping', label: 'Shipping', amount_minor: 500 },
        { kind: 'discount', label: '10 % off', amount_minor: -610 },
      ],
    });
  const units = (sku: string, quantity: number) => ({ sku, quantity });
  const byLines = async (orderId: string, ...lines: object[]) =>
    JSON.parse(await (await refund(orderId, { lines })).text());

  test('refunds by lines return the price of the units with their part of the adjustments, and in the end the total', async () => {
    const orderId = await ordered();
    const first = await byLines(orderId, units('mug-white', 1), units('tee-black-m', 1));
    expect(first).toMatchObject({
      amount_minor: 3_633,
      lines: [
        { ...units('mug-white', 1), amount_minor: 1_178 },
        { ...units('tee-black-m', 1), amount_minor: 2_455 },
      ],
    });
    const rest = await byLines(orderId, units('mug-white', 2));
    expect(rest).toMatchObject({ amount_minor: 2_357, status: 'requested' });
    expect(first.amount_minor + rest.amount_minor).toBe(5_990);
    expect(await paymentOf(orderId)).toMatchObject({ refundingMinor: 5_990 });
    const { data } = await listOf(await show(`/v1/orders/${orderId}/refunds`));
    expect(data).toEqual([first, rest]);
    const order = JSON.parse(await (await shop.request('GET', `/v1/orders/${orderId}`)).text());
    expect(order.refunds).toMatchObject([{ lines: first.lines }, { lines: rest.lines }]);
  });

  test('units that were refunded by lines are not refunded again, unless that refund has failed', async () => {
    const orderId = await ordered();
    await byLines(orderId, units('mug-white', 2));
    const twice = () => refund(orderId, { lines: [units('mug-white', 2)] });
    const problem = await problemOf(await twice());
    expect(problem).toMatchObject({ status: 422, errors: [{ pointer: '#/lines/0/quantity' }] });
    await settle(orderId, 'failed');
    expect((await twice()).status).toBe(202);
  });

  test('one of ten concurrent refunds of the same units is accepted', async () => {
    const orderId = await ordered();
    const all = { lines: [units('mug-white', 3)] };
    const answers = await Promise.all(times(10, () => refund(orderId, all)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(await shop.db.refundLine.count({ where: { refund: { orderId } } })).toBe(1);
  });

  test('a refund by lines of more money than an amount by choice has left is refused', async () => {
    const orderId = await ordered();
    await refund(orderId, { amount_minor: 5_000 });
    const problem = await problemOf(await refund(orderId, { lines: [units('tee-black-m', 1)] }));
    expect(problem).toMatchObject({ code: 'refund_exceeds_captured', refundable_minor: 990 });
    expect(await shop.db.refundLine.count({ where: { refund: { orderId } } })).toBe(0);
  });

  test.each([
    ['an amount as well', { amount_minor: 1, lines: [units('mug-white', 1)] }, '#/lines'],
    ['no lines', { lines: [] }, '#/lines'],
    ['a SKU twice', { lines: [units('mug-white', 1), units('mug-white', 1)] }, '#/lines'],
    ['no units', { lines: [units('mug-white', 0)] }, '#/lines/0/quantity'],
    ['more units than were ordered', { lines: [units('mug-white', 4)] }, '#/lines/0/quantity'],
    ['a product that was not ordered', { lines: [units('poster-a2', 1)] }, '#/lines/0/sku'],
  ])('a refund by lines with %s is refused', async (_, body, pointer) => {
    const problem = await problemOf(await refund(await ordered(), body));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request', errors: [{ pointer }] });
  });

  test('a refund of units that cost nothing is refused', async () => {
    const orderId = await ordered();
    // The whole price is on the other line.
    await shop.db.orderLine.update({
      where: { orderId_sku: { orderId, sku: 'tee-black-m' } },
      data: { unitPriceMinor: 0 },
    });
    const problem = await problemOf(await refund(orderId, { lines: [units('tee-black-m', 1)] }));
    expect(problem).toMatchObject({ status: 422, errors: [{ pointer: '#/lines' }] });
  });
});

describe('the same Idempotency-Key', () => {
  test('a refund repeated with the same key replays the same response after it settled, and creates no second one', async () => {
    const orderId = await paidOrder(shop);
    const first = await refund(orderId, {}, 'same');
    const body = await first.text();
    await settle(orderId, 'succeeded');
    for (const _ of [1, 2]) {
      const again = await refund(orderId, {}, 'same');
      expect([again.status, await again.text()]).toEqual([202, body]);
      expect(again.headers.get('location')).toBe(first.headers.get('location'));
      expect(again.headers.get('idempotent-replayed')).toBe('true');
    }
    expect(await listRefunds(shop.db, orderId)).toHaveLength(1);
  });

  test('a refund key reused with another body returns 422, and a refund without a key is refused', async () => {
    const orderId = await paidOrder(shop);
    await refund(orderId, { amount_minor: 100 }, 'reused');
    const reused = await problemOf(await refund(orderId, { amount_minor: 101 }, 'reused'));
    expect(reused).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    const request = { role: 'operator', body: { reason: 'x' } } as const;
    const path = `/v1/orders/${orderId}/refunds`;
    expect((await problemOf(await shop.request('POST', path, request))).code).toBe(
      'idempotency_key_required',
    );
  });

  test('a refused refund leaves its idempotency key free', async () => {
    const orderId = await paidOrder(shop);
    expect((await refund(orderId, { amount_minor: 2_401 }, 'free')).status).toBe(422);
    expect((await refund(orderId, { amount_minor: 2_400 }, 'free')).status).toBe(202);
  });
});

test("a refund's outcome is recorded once when success and failure are reported concurrently", async () => {
  const orderId = await paidOrder(shop);
  const { id } = JSON.parse(await (await refund(orderId, { amount_minor: 900 })).text());
  const requested = await findRefund(shop.db, id);
  if (!requested) throw new Error('no refund');
  await Promise.all(
    times(10, (index) =>
      index % 2 === 0
        ? recordRefundSucceeded(shop.db, requested, 're_1')
        : recordRefundFailed(shop.db, requested, 'insufficient_funds'),
    ),
  );
  const settled = await findRefund(shop.db, id);
  const { refundedMinor, refundingMinor } = await paymentOf(orderId);
  expect([refundedMinor, refundingMinor]).toEqual([settled?.status === 'succeeded' ? 900 : 0, 0]);
  const events = await shop.db.event.findMany({ where: { orderId } });
  const published = events.filter(({ type }) =>
    ['refund.succeeded', 'refund.failed'].includes(type),
  );
  expect(published.map(({ type }) => type)).toEqual([`refund.${settled?.status}`]);
});
