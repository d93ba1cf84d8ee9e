import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MAX_REFUNDS } from '../../domain/refund.ts';
import {
  recordCancelled,
  recordCancelling,
  recordStockReleased,
} from '../../prisma/orders/record-steps.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import { openRemainingRefund } from '../../prisma/payments/compensation-refunds.ts';
import { recordRefundSucceeded } from '../../prisma/payments/refund-outcomes.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { paidOrder, placedOrder, shippedOrder } from '../support/orders.ts';
import { refundCalls } from './refund-calls.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();

const { refund, show, settle } = refundCalls(shop);

describe('POST /v1/orders/{id}/refunds: 409', () => {
  test('a refund before the capture returns 409 and suggests a cancel', async () => {
    const problem = await problemOf(await refund(await placedOrder(shop)));
    expect(problem).toMatchObject({ status: 409, code: 'not_refundable', reason: 'not_captured' });
    expect(problem.detail).toContain('Cancel the order');
  });

  test('a refund of a manually captured payment returns 409 and asks for a manual refund', async () => {
    const orderId = await placedOrder(shop);
    await shop.db.payment.update({ where: { orderId }, data: { capturedManually: true } });
    const problem = await problemOf(await refund(orderId));
    expect(problem).toMatchObject({ status: 409, reason: 'captured_manually' });
    expect(problem.detail).toContain('Refund it manually');
  });

  test('a refund of a cancelling or cancelled order is refused, and its refunds list the full refund of the cancel', async () => {
    const orderId = await paidOrder(shop);
    await recordCancelling(shop.db, orderId, { reason: 'requested_by_customer', request: null });
    const undoing = await problemOf(await refund(orderId));
    expect(undoing).toMatchObject({ status: 409, reason: 'being_cancelled' });
    const payment = await findPayment(shop.db, orderId);
    const rest = payment && (await openRemainingRefund(shop.db, payment));
    if (rest) await recordRefundSucceeded(shop.db, rest, 're_1');
    await recordStockReleased(shop.db, orderId);
    await recordCancelled(shop.db, orderId, 'requested_by_customer');
    expect(await problemOf(await refund(orderId))).toMatchObject({ reason: 'already_cancelled' });
    const { data } = await listOf(await show(`/v1/orders/${orderId}/refunds`));
    expect(data).toMatchObject([
      { cause: 'order_cancelled', status: 'succeeded', amount_minor: 2_400, reason: null },
    ]);
  });

  test(`a refund after ${MAX_REFUNDS} refunds of the same order is refused as too_many_refunds`, async () => {
    const orderId = await paidOrder(shop);
    for (let count = 0; count < MAX_REFUNDS; count += 1) {
      expect((await refund(orderId, { amount_minor: 1 })).status).toBe(202);
    }
    expect(await problemOf(await refund(orderId))).toMatchObject({ reason: 'too_many_refunds' });
    // One that the provider refuses moved nothing, and makes room for another.
    await settle(orderId, 'failed');
    expect((await refund(orderId, { amount_minor: 1 })).status).toBe(202);
    expect(await problemOf(await refund(orderId))).toMatchObject({ reason: 'too_many_refunds' });
  });

  test('an order can be refunded after any number of refused refunds, and each is on a page of its list', async () => {
    const orderId = await paidOrder(shop);
    const refused = 2 * MAX_REFUNDS + 5;
    for (let count = 0; count < refused; count += 1) {
      expect((await refund(orderId)).status).toBe(202);
      await settle(orderId, 'failed');
    }
    expect((await refund(orderId)).status).toBe(202);
    await settle(orderId, 'succeeded');
    const listed: string[] = [];
    for (let more = true; more;) {
      const after = listed.length === 0 ? '' : `&starting_after=${listed.at(-1)}`;
      const path = `/v1/orders/${orderId}/refunds?limit=50${after}`;
      const page = refundPage.parse(await (await show(path)).json());
      listed.push(...page.data.map(({ id }) => id));
      more = page.has_more;
    }
    const rows = await shop.db.refund.findMany({ where: { orderId }, orderBy: { id: 'asc' } });
    expect(listed).toEqual(rows.map(({ id }) => id));
    expect(listed).toHaveLength(refused + 1);
    const order = refundsOf.parse(await (await show(`/v1/orders/${orderId}`)).json());
    expect(order.refunds).toHaveLength(100);
    expect(order.refunds.at(-1)).toMatchObject({ status: 'succeeded' });
  });
});

const refundPage = z.object({ data: z.array(z.object({ id: z.string() })), has_more: z.boolean() });
const refundsOf = z.object({ refunds: z.array(z.object({ status: z.string() })) });

describe('POST /v1/orders/{id}/refunds: 422', () => {
  test('a refund of more than is left after pending refunds returns 422 with the refundable amount', async () => {
    const orderId = await paidOrder(shop);
    await refund(orderId, { amount_minor: 2_000 });
    const problem = await problemOf(await refund(orderId, { amount_minor: 401 }));
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
  ])('a refund with %j returns 422 and points to the field', async (body, pointer) => {
    const problem = await problemOf(await refund(await placedOrder(shop), body));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(problem.errors).toMatchObject([{ pointer }]);
  });
});

describe('access and unknown ids', () => {
  test('a storefront is forbidden to create and to see refunds', async () => {
    const orderId = await placedOrder(shop);
    const refused = [
      await shop.request('POST', `/v1/orders/${orderId}/refunds`, {
        key: 'x',
        body: { reason: 'x' },
      }),
      await shop.request('GET', `/v1/orders/${orderId}/refunds`),
      await shop.request('GET', '/v1/refunds/rfd_01k9zq3v5nfa3s4w1m6t2y8h7c'),
    ];
    for (const response of refused) expect((await problemOf(response)).code).toBe('forbidden');
  });

  test.each(['rfd_nope', 'nope', 'rfd_01k9zq3v5nfa3s4w1m6t2y8h7c'])(
    'the refund %s is not found',
    async (id) => {
      expect((await problemOf(await show(`/v1/refunds/${id}`))).code).toBe('refund_not_found');
    },
  );

  test('a refund of an unknown order and its list of refunds return order_not_found', async () => {
    expect((await problemOf(await refund('ord_nope'))).code).toBe('order_not_found');
    expect((await problemOf(await show('/v1/orders/ord_nope/refunds'))).code).toBe(
      'order_not_found',
    );
  });
});

describe('units that come back', () => {
  const back = (orderId: string, quantity: number) =>
    refund(orderId, { lines: [{ sku: 'mug-white', quantity, restock: true }] });
  const stock = () => shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
  const unreturnable = { status: 422, errors: [{ pointer: '#/lines/0/restock' }] };

  test('units that come back are on hand again once, whatever becomes of the money', async () => {
    const orderId = await shippedOrder(shop);
    const before = await stock();
    const key = crypto.randomUUID();
    const body = { lines: [{ sku: 'mug-white', quantity: 1, restock: true }] };
    const responses = [await refund(orderId, body, key), await refund(orderId, body, key)];
    expect(responses.map(({ status }) => status)).toEqual([202, 202]);
    const { id, lines } = z
      .object({ id: z.string(), lines: z.array(z.object({ restock: z.boolean() })) })
      .parse(await responses[0]?.json());
    expect(lines).toEqual([{ restock: true }]);
    expect(await stock()).toEqual({ ...before, onHand: before.onHand + 1 });
    await settle(orderId, 'failed');
    const where = { orderId, kind: 'returned' } as const;
    expect(await shop.db.stockMovement.findMany({ where })).toMatchObject([
      { sku: 'mug-white', delta: 1, refundId: id },
    ]);
    // Its money can be refunded again; of its units only one more is out there.
    expect(await problemOf(await back(orderId, 2))).toMatchObject(unreturnable);
    expect((await back(orderId, 1)).status).toBe(202);
    expect(await problemOf(await back(orderId, 1))).toMatchObject(unreturnable);
    expect(await stock()).toEqual({ ...before, onHand: before.onHand + 2 });
  });

  test('units that have not left cannot come back, and the refund is refused as a whole', async () => {
    const orderId = await paidOrder(shop);
    const before = await stock();
    expect(await problemOf(await back(orderId, 1))).toMatchObject(unreturnable);
    const refunds = await listOf(await show(`/v1/orders/${orderId}/refunds`));
    expect(refunds.data).toEqual([]);
    expect(await stock()).toEqual(before);
  });
});
