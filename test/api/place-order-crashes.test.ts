import { afterAll, describe, expect, test } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { createApp } from '../../api/app.ts';
import { runRecovery } from '../../services/recovery.ts';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { heldMugs, passDeadline, passLease } from '../support/orders.ts';
import { createGate } from '../support/gate.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { recordExpired } from '../../prisma/orders/expire-order.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { expectInvariants } from '../support/invariants.ts';
import { apiOf, placeOrder } from '../support/client.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { times } from '../support/times.ts';

const FIND = { provider: 'payments', operation: 'lookup' } as const;
const VOID = { provider: 'payments', operation: 'void' } as const;
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100 };

const shop = useShop();

const mugs = { lines: [{ sku: 'mug-white', quantity: 1 }] };

/** A process that dies inside the payment call: before it, or after it took effect. */
async function die(key: string, when: 'before' | 'after'): Promise<OrderId> {
  const { payments } = shop.gateways;
  const dying: PaymentGateway = {
    ...payments,
    async authorize(request) {
      if (when === 'after') await payments.authorize(request);
      throw new Error('the process died');
    },
  };
  const response = await placeThrough(dying, key);
  expect(response.status).toBe(500);
  const { orderId } = await shop.db.idempotencyKey.findFirstOrThrow({
    where: { key: storedKey(key) },
  });
  if (orderId === null || !isOrderId(orderId)) throw new Error('the key names no order');
  return orderId;
}

function placeThrough(payments: PaymentGateway, key: string): Promise<Response> {
  const app = createApp({ ...shop.services, payments });
  return placeOrder(apiOf(app), mugs, { key });
}

/** A provider that authorizes at once, and responds when `respond` is called. */
function gatedPayments() {
  const { payments } = shop.gateways;
  const [authorization, response] = [createGate<OrderId>(), createGate()];
  const gated: PaymentGateway = {
    ...payments,
    async authorize(request) {
      const outcome = await payments.authorize(request);
      authorization.open(request.orderId);
      await response.opened;
      return outcome;
    },
  };
  return { payments: gated, authorized: authorization.opened, respond: response.open };
}

/** Our records of the order and its payment. */
async function recordsOf(id: string) {
  const { status, payment, operations } = await shop.db.order.findUniqueOrThrow({
    where: { id },
    include: { payment: true, operations: true },
  });
  const written = operations.map(({ kind, state }) => `${kind} ${state}`).toSorted();
  return { order: status, payment: payment?.status, operations: written };
}

const VOID_REQUESTED = {
  order: 'expired',
  payment: 'voided',
  operations: ['authorize requested', 'authorize succeeded', 'void requested', 'void succeeded'],
};

describe('a crash during an order', () => {
  test.each(['before', 'after'] as const)(
    'a retry after a crash %s the authorization completes the same order, authorized once',
    async (when) => {
      const key = `died-${when}`;
      const held = await heldMugs(shop.db);
      const id = await die(key, when);
      expect((await problemOf(await shop.place(mugs, key))).code).toBe('request_in_flight');
      await passLease(shop.db, key);
      const response = await shop.place(mugs, key);
      expect(response.status).toBe(201);
      expect((await orderOf(response)).id).toBe(id);
      expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
      expect(await heldMugs(shop.db)).toBe(held + 1);
    },
  );

  test('20 concurrent retries after a crash place one order with one authorization', async () => {
    const id = await die('taken-up', 'after');
    await passLease(shop.db, 'taken-up');
    const responses = await Promise.all(times(20, () => shop.place(mugs, 'taken-up')));
    const placed = responses.filter(({ status }) => status === 201);
    expect(placed.length).toBeGreaterThan(0);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
    expect(new Set(await Promise.all(placed.map((each) => each.text()))).size).toBe(1);
  });

  test('a crashed order without a retry expires, is voided, releases its stock, and its key returns order_expired', async () => {
    const held = await heldMugs(shop.db);
    const id = await die('never-back', 'after');
    await passDeadline(shop.db, id);
    expect((await runRecovery(shop.services, NOW)).expired).toBe(1);
    expect(await heldMugs(shop.db)).toBe(held);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
    expect(await recordsOf(id)).toEqual(VOID_REQUESTED);
    await passLease(shop.db, 'never-back');
    for (const _ of [1, 2]) {
      const problem = await problemOf(await shop.place(mugs, 'never-back'));
      expect(problem).toMatchObject({ status: 409, code: 'order_expired', order_id: id });
    }
  });

  test('an order whose payment the provider never judges is voided at its deadline', async () => {
    const id = await die('never-judged', 'after');
    await passDeadline(shop.db, id);
    const { payments } = shop.gateways;
    const undecided: PaymentGateway = {
      ...payments,
      async lookUp(request) {
        const found = await payments.lookUp(request);
        if (found.kind !== 'found') return found;
        return { ...found, payment: { ...found.payment, state: 'processing' } };
      },
    };
    expect((await runRecovery({ ...shop.services, payments: undecided }, NOW)).expired).toBe(1);
    expect(await recordsOf(id)).toEqual(VOID_REQUESTED);
  });

  test('an order that crashed before its authorization expires without a void', async () => {
    const id = await die('never-sent', 'before');
    await passDeadline(shop.db, id);
    expect((await runRecovery(shop.services, NOW)).expired).toBe(1);
    expect(paymentEffects(shop, id)).toEqual({});
  });

  test('a retry past the deadline does not place the order, even before recovery expires it', async () => {
    const id = await die('too-late', 'after');
    await passDeadline(shop.db, id);
    await passLease(shop.db, 'too-late');
    for (const _ of [1, 2]) {
      const waiting = await shop.place(mugs, 'too-late');
      expect(waiting.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await problemOf(waiting)).toMatchObject({ status: 409, code: 'request_in_flight' });
    }
    expect((await shop.db.order.findUniqueOrThrow({ where: { id } })).status).toBe('pending');
    expect((await runRecovery(shop.services, NOW)).expired).toBe(1);
    expect((await problemOf(await shop.place(mugs, 'too-late'))).code).toBe('order_expired');
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
  });
});

describe('an attempt that outlasts its lease and its deadline', () => {
  test('an attempt that outlasts its lease and deadline places the order; a retry meanwhile is request_in_flight', async () => {
    const outlasting = gatedPayments();
    const first = placeThrough(outlasting.payments, 'outlasting');
    const id = await outlasting.authorized;
    await passDeadline(shop.db, id);
    await passLease(shop.db, 'outlasting');
    const meanwhile = await problemOf(await shop.place(mugs, 'outlasting'));
    expect(meanwhile).toMatchObject({ status: 409, code: 'request_in_flight' });
    outlasting.respond();
    expect((await first).status).toBe(201);
    expect((await orderOf(await shop.place(mugs, 'outlasting'))).id).toBe(id);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  });

  test('an attempt that outlasts its deadline does not place the order once its void was requested', async () => {
    const outlasting = gatedPayments();
    const first = placeThrough(outlasting.payments, 'let-go');
    const id = await outlasting.authorized;
    await passDeadline(shop.db, id);
    shop.sandbox.faults.set(VOID, { mode: 'fail_before', times: 1 });
    expect((await runRecovery(shop.services, NOW)).expired).toBe(0);
    outlasting.respond();
    expect(await problemOf(await first)).toMatchObject({ status: 409, code: 'request_in_flight' });
    expect((await runRecovery(shop.services, NOW)).expired).toBe(1);
    expect((await problemOf(await shop.place(mugs, 'let-go'))).code).toBe('order_expired');
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
    expect(await recordsOf(id)).toEqual(VOID_REQUESTED);
  });
});

test('a void is recorded before the provider is called', async () => {
  const id = await die('written-first', 'after');
  await passDeadline(shop.db, id);
  const { payments } = shop.gateways;
  const records: (readonly string[])[] = [];
  const watched: PaymentGateway = {
    ...payments,
    async voidAuthorization(request) {
      records.push((await recordsOf(request.orderId)).operations);
      return payments.voidAuthorization(request);
    },
  };
  await runRecovery({ ...shop.services, payments: watched }, NOW);
  expect(records).toEqual([['authorize requested', 'void requested']]);
  expect(await recordsOf(id)).toEqual(VOID_REQUESTED);
});

describe('an order that expired during its authorization', () => {
  async function placeSlowly(key: string): Promise<Response> {
    const { payments } = shop.gateways;
    const slow: PaymentGateway = {
      ...payments,
      async authorize(request) {
        const outcome = await payments.authorize(request);
        const order = await findOrder(shop.db, request.orderId);
        if (order) await recordExpired(shop.db, order, null);
        return outcome;
      },
    };
    return placeThrough(slow, key);
  }
  const FOUND_LATE = {
    ...VOID_REQUESTED,
    operations: [...VOID_REQUESTED.operations, 'authorize refused'].toSorted(),
  };

  test('an order that expired during its authorization is voided and refused as order_expired', async () => {
    const held = await heldMugs(shop.db);
    const problem = await problemOf(await placeSlowly('expired-meanwhile'));
    expect(problem).toMatchObject({ status: 409, code: 'order_expired' });
    const id = String(problem['order_id']);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
    expect(await recordsOf(id)).toEqual(FOUND_LATE);
    expect(await heldMugs(shop.db)).toBe(held);
  });

  test('an expired order whose void fails returns 503, and its retry voids it before returning order_expired', async () => {
    shop.sandbox.faults.set(VOID, { mode: 'fail_before', times: 1 });
    const waiting = await problemOf(await placeSlowly('still-held'));
    expect(waiting).toMatchObject({ status: 503, code: 'payment_unavailable' });
    const problem = await problemOf(await shop.place(mugs, 'still-held'));
    expect(problem).toMatchObject({ status: 409, code: 'order_expired' });
    const id = String(problem['order_id']);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
    expect(await recordsOf(id)).toEqual(FOUND_LATE);
  });

  afterAll(() => expectInvariants(shop.db));
});

test('an overdue order does not expire before its payment is looked up and voided', async () => {
  const id = await die('kept', 'after');
  await passDeadline(shop.db, id);
  shop.sandbox.faults.set(FIND, { mode: 'down' });
  expect((await runRecovery(shop.services, NOW)).expired).toBe(0);
  shop.sandbox.faults.clear();
  shop.sandbox.faults.set(VOID, { mode: 'fail_before', times: 1 });
  expect((await runRecovery(shop.services, NOW)).expired).toBe(0);
  expect((await runRecovery(shop.services, NOW)).expired).toBe(1);
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1, void: 1 });
});
