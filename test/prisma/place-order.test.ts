import { describe, expect, test } from 'vitest';
import { providerKey } from '../../domain/ids.ts';
import { recordExpired } from '../../prisma/orders/expire-order.ts';
import { findPaymentWait } from '../../prisma/orders/payment-actions.ts';
import { findUnfinishedVoid, recordVoidRequested } from '../../prisma/orders/voids.ts';
import { readKeyState } from '../../prisma/access/idempotency.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { findPayment, recordCaptured, recordIntent } from '../../prisma/payments/payments.ts';
import { openRemainingRefund } from '../../prisma/payments/compensation-refunds.ts';
import { recordRefundSucceeded } from '../../prisma/payments/refund-outcomes.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import type { Order } from '../../domain/order.ts';
import {
  recordActionRequired,
  recordDeclined,
  recordPlaced,
} from '../../prisma/orders/settle-order.ts';
import { times } from '../support/times.ts';
import { findStock } from '../../prisma/catalog/stock.ts';
import {
  claimOf,
  runConcurrently,
  draftOf,
  untilOneWaits,
  useSeededDatabase,
} from './seeded-database.ts';

const RESPONSE = { status: 201, body: '{"placed":true}' };
const VOID = { reference: 'pi_1', declineCode: null };
const EXPIRED = { reference: 'pi_expired', wasAuthorized: true };

const shop = useSeededDatabase(20);

describe('opening an order', () => {
  test('an opened order has its hold, payment intent and key, and is read back as written', async () => {
    const sku = await shop.stock(5);
    const claim = claimOf();
    const opened = await openOrder(shop.db, claim, draftOf([{ sku, quantity: 2 }]));
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    const { order } = opened;
    expect(await findOrder(shop.db, order.id)).toEqual(order);
    expect(await findStock(shop.db, sku)).toMatchObject({ held: 2 });
    expect(await findPayment(shop.db, order.id)).toMatchObject({
      status: 'authorizing',
      amountMinor: 200,
      capturedMinor: 0,
    });
    expect(await operationsOf(order.id)).toEqual([
      { key: providerKey(order.id, 'authorize'), state: 'requested' },
    ]);
    expect(await readKeyState(shop.db, claim)).toEqual({ kind: 'in_flight' });
  });

  test('an order that is out of stock leaves no order, customer, hold or key behind', async () => {
    const [there, gone] = [await shop.stock(5), await shop.stock(0)];
    const claim = claimOf();
    const before = await counts();
    const draft = draftOf([there, gone].map((sku) => ({ sku, quantity: 1 })));
    const customer = { email: 'nobody@example.com', name: 'Nobody', phone: null };
    const outcome = await openOrder(shop.db, claim, { ...draft, customer });
    expect(outcome).toMatchObject({ kind: 'out_of_stock', shortages: [{ sku: gone }] });
    expect(await counts()).toEqual(before);
    expect(await findStock(shop.db, there)).toMatchObject({ held: 0 });
    expect(await readKeyState(shop.db, claim)).toEqual({ kind: 'free' });
  });

  test('twenty orders opened concurrently with one e-mail address share one customer', async () => {
    const customer = { email: 'twenty@example.com', name: 'Twenty', phone: null };
    const outcomes = await runConcurrently(20, 20, () =>
      openOrder(shop.db, claimOf(), { ...draftOf(), customer }),
    );
    expect(outcomes.map((each) => each.kind)).toEqual(outcomes.map(() => 'opened'));
    expect(await shop.db.customer.count({ where: { email: customer.email } })).toBe(1);
  });
});

describe('settling an order', () => {
  test('a placed order records its status, its authorized payment and the response of its key', async () => {
    const claim = claimOf();
    const opened = await openOrder(shop.db, claim, draftOf());
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    const { order } = opened;
    const recorded = await recordPlaced(shop.db, order, {
      reference: 'pi_1',
      response: () => RESPONSE,
    });
    expect(recorded).toEqual({ kind: 'answered', response: RESPONSE });
    expect(await findOrder(shop.db, order.id)).toMatchObject({ status: 'placed', version: 2 });
    expect(await findPayment(shop.db, order.id)).toMatchObject({
      status: 'authorized',
      providerReference: 'pi_1',
    });
    expect(await readKeyState(shop.db, claim)).toMatchObject({
      kind: 'completed',
      response: RESPONSE,
    });
  });

  test('the response of a placed order is stored as it was returned, with the time of the order', async () => {
    const claim = claimOf();
    const opened = await openOrder(shop.db, claim, draftOf());
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    const recorded = await recordPlaced(shop.db, opened.order, {
      reference: 'pi_time',
      response: ({ updatedAt, version }) => ({
        status: 201,
        body: JSON.stringify({ updatedAt, version }),
      }),
    });
    if (recorded.kind !== 'answered') throw new Error(recorded.kind);
    const { updatedAt, version } = (await findOrder(shop.db, opened.order.id)) ?? {};
    expect(JSON.parse(recorded.response.body)).toEqual({ updatedAt, version });
    expect(await readKeyState(shop.db, claim)).toMatchObject({ response: recorded.response });
  });

  test('an order that has changed since it was loaded is not placed', async () => {
    const order = await shop.open();
    const stale = { ...order, version: order.version - 1 };
    const placed = { reference: 'pi_stale', response: () => RESPONSE };
    expect(await recordPlaced(shop.db, stale, placed)).toEqual({ kind: 'superseded' });
    expect(await findOrder(shop.db, order.id)).toEqual(order);
  });

  test('an authorization is used or voided, never both, when both are recorded concurrently', async () => {
    const outcomes = await runConcurrently(60, 10, async () => {
      const order = await shop.open([{ sku: 'mug-white', quantity: 1 }]);
      const reference = `pi_${order.id}`;
      const [placed, voided] = await Promise.all([
        recordPlaced(shop.db, order, { reference, response: () => RESPONSE }),
        recordVoidRequested(shop.db, order, { reference, declineCode: null }),
      ]);
      const status = (await findOrder(shop.db, order.id))?.status;
      expect(placed.kind).toBe(voided ? 'superseded' : 'answered');
      expect(status).toBe(voided ? 'pending' : 'placed');
      return voided;
    });
    expect(outcomes).toHaveLength(60);
  });

  test('an order is not placed by a statement that began before the void of its authorization', async () => {
    const order = await shop.open();
    const changeOf = async () =>
      shop.db.$queryRaw<unknown[]>`SELECT xmin::text FROM orders WHERE id = ${order.id}`;
    const before = await changeOf();
    const placing = await shop.db.$transaction(async (tx) => {
      // The row is locked, so that the placement has begun and waits when the void is recorded.
      await tx.$executeRaw`SELECT FROM orders WHERE id = ${order.id} FOR UPDATE`;
      const begun = recordPlaced(shop.db, order, { reference: 'pi_1', response: () => RESPONSE });
      await untilOneWaits(shop.db);
      await tx.$executeRaw`
        INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
        VALUES (${order.id}, ${providerKey(order.id, 'void')}, 'void', 'requested',
          ${order.totalMinor}, ${order.currency})`;
      await tx.$executeRaw`UPDATE orders SET checked_at = now() WHERE id = ${order.id}`;
      return { begun };
    });
    expect(await placing.begun).toEqual({ kind: 'superseded' });
    expect(await findOrder(shop.db, order.id)).toMatchObject({ status: 'pending' });
    const after = await changeOf();
    expect(after).not.toEqual(before);
    expect(await recordVoidRequested(shop.db, order, VOID)).toEqual(VOID);
    expect(await changeOf()).not.toEqual(after);
  });

  test('a declined order releases its hold and records the decline code', async () => {
    const sku = await shop.stock(5);
    const order = await shop.open([{ sku, quantity: 2 }]);
    const declined = { code: 'insufficient_funds', reference: null, response: RESPONSE };
    expect(await recordDeclined(shop.db, order, declined)).toMatchObject({ kind: 'answered' });
    expect(await findOrder(shop.db, order.id)).toMatchObject({ status: 'declined' });
    expect(await findPayment(shop.db, order.id)).toMatchObject({
      status: 'declined',
      declineCode: 'insufficient_funds',
    });
    expect(await findStock(shop.db, sku)).toMatchObject({ held: 0 });
  });

  test('a declined order whose payment was authorized meanwhile has it voided', async () => {
    const order = await shop.open();
    const reference = `pi_${order.id}`;
    await recordActionRequired(shop.db, order, { reference, minutes: 15 });
    const request = { reference, declineCode: 'generic_decline' };
    expect(await recordVoidRequested(shop.db, order, request)).toEqual(request);
    // The first reason stands.
    const later = { reference, declineCode: null };
    expect(await recordVoidRequested(shop.db, order, later)).toEqual(request);
    expect(await findUnfinishedVoid(shop.db, order.id)).toEqual(request);
    const voided = { reference, wasAuthorized: true };
    const declined = { code: 'generic_decline', reference, response: RESPONSE, voided };
    expect(await recordDeclined(shop.db, order, declined)).toMatchObject({ kind: 'answered' });
    expect(await findOrder(shop.db, order.id)).toMatchObject({ status: 'declined' });
    expect(await findPayment(shop.db, order.id)).toMatchObject({ status: 'voided' });
    expect(await findUnfinishedVoid(shop.db, order.id)).toBeNull();
  });

  test('an order waits for its shopper once, and not after it was settled or is being voided', async () => {
    const [waiting, placed, voided] = [await shop.open(), await shop.open(), await shop.open()];
    const wait = (order: Order) =>
      recordActionRequired(shop.db, order, { reference: `pi_${order.id}`, minutes: 15 });
    const expected = expect.objectContaining({ expiresAt: expect.stringMatching(/Z$/) });
    const outcomes = await Promise.all(times(5, () => wait(waiting)));
    expect(outcomes.filter((outcome) => outcome !== null)).toEqual([expected]);
    const held = { reference: `pi_${placed.id}`, response: () => RESPONSE };
    await recordPlaced(shop.db, placed, held);
    await recordVoidRequested(shop.db, voided, { ...VOID, reference: `pi_${voided.id}` });
    expect([await wait(placed), await wait(voided)]).toEqual([null, null]);
    const found = await findPaymentWait(shop.db, waiting.id);
    expect(found).toMatchObject({ reference: `pi_${waiting.id}`, isOverdue: false });
  });

  test('exactly one of a concurrent place, decline and expire takes effect, and the records agree', async () => {
    for (let round = 0; round < 5; round += 1) {
      const sku = await shop.stock(5);
      const order = await shop.open([{ sku, quantity: 2 }]);
      const [placed, declined] = await Promise.all([
        recordPlaced(shop.db, order, { reference: `pi_${order.id}`, response: () => RESPONSE }),
        recordDeclined(shop.db, order, { code: 'x', reference: null, response: RESPONSE }),
        recordExpired(shop.db, order, null),
      ]);
      const status = (await findOrder(shop.db, order.id))?.status;
      expect(placed.kind === 'answered').toBe(status === 'placed');
      expect(declined.kind === 'answered').toBe(status === 'declined');
      const held = status === 'placed' ? 2 : 0;
      expect(await findStock(shop.db, sku)).toMatchObject({ held });
      expect(
        (await operationsOf(order.id)).filter((each) => each.state !== 'requested'),
      ).toHaveLength(1);
    }
  });

  test('an order expired twice releases its hold and records the void of its authorization once', async () => {
    const sku = await shop.stock(5);
    const order = await shop.open([{ sku, quantity: 2 }]);
    await recordExpired(shop.db, order, EXPIRED);
    await recordExpired(shop.db, order, EXPIRED);
    expect(await findOrder(shop.db, order.id)).toMatchObject({ status: 'expired', version: 2 });
    expect(await findPayment(shop.db, order.id)).toMatchObject({ status: 'voided' });
    expect(await operationsOf(order.id)).toEqual(
      ['authorize', 'void'].flatMap((kind) =>
        ['requested', 'succeeded'].map((state) => ({ key: `${order.id}/${kind}`, state })),
      ),
    );
    expect(await findStock(shop.db, sku)).toMatchObject({ held: 0 });
  });
});

describe('payment records', () => {
  test('one of twenty concurrent calls records the capture intent as new', async () => {
    const payment = await paymentOfPlaced();
    const seen = await runConcurrently(20, 20, () => recordIntent(shop.db, payment, 'capture'));
    expect(seen.filter((each) => each === 'new')).toHaveLength(1);
  });

  test('a full refund recorded twenty times concurrently captures and refunds the amount once', async () => {
    const payment = await paymentOfPlaced();
    await runConcurrently(20, 20, async () => {
      const refund = await openRemainingRefund(shop.db, payment);
      if (refund) await recordRefundSucceeded(shop.db, refund, 're_1');
    });
    expect(await findPayment(shop.db, payment.orderId)).toMatchObject({
      status: 'refunded',
      capturedMinor: 200,
      refundedMinor: 200,
    });
    const kinds = (await operationsOf(payment.orderId)).map(({ key, state }) => `${key} ${state}`);
    expect(new Set(kinds).size).toBe(kinds.length);
  });

  test('a capture is recorded even when the order is already cancelling', async () => {
    const payment = await paymentOfPlaced();
    await shop.db.order.update({
      where: { id: payment.orderId },
      data: { status: 'cancelling', cancelReason: 'requested_by_customer' },
    });
    const outcome = await recordCaptured(shop.db, payment);
    expect(outcome).toEqual({ kind: 'forbidden', status: 'cancelling' });
    expect(await findPayment(shop.db, payment.orderId)).toMatchObject({ status: 'captured' });
  });
});

async function paymentOfPlaced() {
  const { id } = await shop.place();
  const payment = await findPayment(shop.db, id);
  if (!payment) throw new Error('a placed order has a payment');
  return payment;
}

async function operationsOf(orderId: string) {
  return shop.db.paymentOperation.findMany({
    where: { orderId },
    select: { key: true, state: true },
    orderBy: { id: 'asc' },
  });
}

async function counts() {
  const { db } = shop;
  return [await db.order.count(), await db.customer.count(), await db.event.count()];
}
