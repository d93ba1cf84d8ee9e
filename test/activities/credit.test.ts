import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, describe, expect, test } from 'vitest';
import { expireDueCredit } from '../../activities/operations/expire-credit.ts';
import { isOrderId, type CustomerId, type OrderId } from '../../domain/ids.ts';
import { newId } from '../../prisma/client/ids.ts';
import { findBalances, pageCreditEntries } from '../../prisma/credit/accounts.ts';
import { grantCredit } from '../../prisma/credit/grant.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { recordCancelling } from '../../prisma/orders/record-steps.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { ORDER_RESPONSES } from '../../api/orders/responses.ts';
import { expireOrder } from '../../services/expire-order.ts';
import { erasePerson } from '../../services/persons.ts';
import { refundCalls } from '../api/refund-calls.ts';
import { claimOf, draftOf, untilOneWaits } from '../prisma/seeded-database.ts';
import { DECLINED_CARD } from '../support/client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects } from '../support/shop.ts';
import { useSteps } from './steps.ts';

/** A white mug. */
const PRICE = 1_200;
const steps = useSteps();
const askRefund = (id: OrderId, body: object) => refundCalls(steps).refund(id, body);

afterAll(() => expectInvariants(steps.db));

interface Owner {
  readonly id: CustomerId;
  readonly customer: { readonly email: string; readonly name: string };
}

async function ownerOf(amountMinor: number, expiresAt: string | null = null): Promise<Owner> {
  const id = newId('customer');
  const customer = { email: `${randomUUID()}@example.com`, name: 'Ada' };
  await steps.db.customer.create({ data: { id, ...customer } });
  await grant(id, amountMinor, expiresAt);
  return { id, customer };
}

async function grant(customerId: CustomerId, amountMinor: number, expiresAt: string | null = null) {
  const granted = { customerId, amountMinor, currency: 'EUR', reason: 'test', expiresAt };
  await steps.db.$transaction((tx) => grantCredit(tx, { ...granted, actor: 'key_operator' }));
}

async function balanceOf({ id }: Owner): Promise<number | undefined> {
  return (await findBalances(steps.db, id))?.[0]?.amountMinor;
}

/** The ledger, oldest first. */
async function ledgerOf({ id }: Owner): Promise<readonly string[]> {
  const { entries } = await pageCreditEntries(steps.db, id, { limit: 100 });
  return entries.map(({ kind, amountMinor }) => `${kind} ${amountMinor}`).toReversed();
}

/** A placed order of one mug that credit pays in part or wholly. */
async function placed({ customer }: Owner, creditMinor: number, changes: object = {}) {
  const part = { customer, credit_minor: creditMinor, ...changes };
  const response = await steps.place(
    creditMinor === PRICE ? { payment_method: undefined, ...part } : part,
  );
  expect(response.status).toBe(201);
  const { id } = await orderOf(response);
  if (!isOrderId(id)) throw new Error(`no id of an order: ${id}`);
  return id;
}

async function paid(owner: Owner, creditMinor: number): Promise<OrderId> {
  const orderId = await placed(owner, creditMinor);
  await steps.run('reserveStock', { orderId });
  await steps.run('capturePayment', { orderId });
  return orderId;
}

async function cancel(orderId: OrderId): Promise<void> {
  await recordCancelling(steps.db, orderId, { reason: 'requested_by_customer', request: null });
  await steps.run('voidOrRefundPayment', { orderId });
  await steps.run('releaseStock', { orderId });
  for (let times = 0; times < 2; times += 1) {
    await steps.run('recordCancelled', { orderId, reason: 'requested_by_customer' });
  }
}

/** Requests the refund and does what its workflow does. */
async function refund(orderId: OrderId, body: object) {
  expect((await askRefund(orderId, body)).status).toBe(202);
  const last = (await listRefunds(steps.db, orderId)).at(-1);
  if (!last) throw new Error('no refund');
  for (let times = 0; times < 2; times += 1) {
    await steps.run('refundPayment', { orderId, refundId: last.id });
  }
  const { amountMinor, creditMinor } = last;
  return { amountMinor, creditMinor };
}

function amountsAtProvider(orderId: OrderId): readonly string[] {
  return steps.sandbox.ledgers.payments
    .effects()
    .filter(({ order_id }) => order_id === orderId)
    .map(({ operation, amount_minor }) => `${operation} ${amount_minor}`);
}

const paymentOf = (orderId: OrderId) => steps.db.payment.findUniqueOrThrow({ where: { orderId } });

describe('an order that store credit pays wholly', () => {
  test('an order that credit pays ships without a call to the provider, is refunded as credit, and can be erased', async () => {
    const owner = await ownerOf(1_500);
    const orderId = await paid(owner, PRICE);
    expect(await balanceOf(owner)).toBe(300);
    await steps.run('requestShipment', { orderId });
    await steps.run('recordShipped', { orderId, carrier: 'Test Parcel', trackingNumber: 'TP1' });
    expect((await findOrder(steps.db, orderId))?.status).toBe('shipped');
    expect(await refund(orderId, { amount_minor: 500 })).toEqual({
      amountMinor: 500,
      creditMinor: 500,
    });
    expect(await refund(orderId, {})).toEqual({ amountMinor: 700, creditMinor: 700 });
    expect((await problemOf(await askRefund(orderId, {}))).code).toBe('refund_exceeds_captured');
    expect(paymentEffects(steps, orderId)).toEqual({});
    expect(await steps.db.paymentOperation.count({ where: { orderId } })).toBe(0);
    expect(await ledgerOf(owner)).toEqual([
      'granted 1500',
      'spent -1200',
      'refunded 500',
      'refunded 700',
    ]);
    const by = { apiKeyId: 'key_operator', correlationId: 'asked' };
    const { email } = owner.customer;
    expect(await erasePerson(steps, { email, by, withinMs: 10_000 })).toMatchObject({
      kind: 'erased',
      creditLeft: [{ amountMinor: 1_500, currency: 'EUR' }],
    });
  });

  test.each(['before', 'after'] as const)(
    'a cancel %s the capture gives its credit back once, without the provider',
    async (when) => {
      const owner = await ownerOf(PRICE);
      const orderId = when === 'before' ? await placed(owner, PRICE) : await paid(owner, PRICE);
      await cancel(orderId);
      expect(await balanceOf(owner)).toBe(PRICE);
      expect(await ledgerOf(owner)).toEqual(['granted 1200', 'spent -1200', 'given_back 1200']);
      expect((await paymentOf(orderId)).status).toBe(when === 'before' ? 'voided' : 'refunded');
      expect(paymentEffects(steps, orderId)).toEqual({});
    },
  );

  test('an order that was never settled expires without the provider and gives its credit back', async () => {
    const owner = await ownerOf(200);
    const draft = { ...draftOf(), ...owner, creditMinor: 200, paymentMethod: null };
    const customer = { ...owner.customer, phone: null };
    const opened = await openOrder(steps.db, claimOf(), { ...draft, customer });
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    expect(await balanceOf(owner)).toBe(0);
    steps.sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode: 'down' });
    const deps = {
      db: steps.db,
      payments: steps.gateways.payments,
      responses: ORDER_RESPONSES,
    };
    expect(await expireOrder(deps, opened.order)).toEqual({ kind: 'expired' });
    expect(await balanceOf(owner)).toBe(200);
  });
});

describe('an order that store credit pays in part', () => {
  test('the card pays what credit does not, and is refunded first', async () => {
    const owner = await ownerOf(500);
    const orderId = await paid(owner, 500);
    expect(await refund(orderId, { amount_minor: 900 })).toMatchObject({ creditMinor: 200 });
    expect(await refund(orderId, {})).toEqual({ amountMinor: 300, creditMinor: 300 });
    expect(amountsAtProvider(orderId)).toEqual(['authorize 700', 'capture 700', 'refund 700']);
    expect(await balanceOf(owner)).toBe(500);
    expect((await paymentOf(orderId)).status).toBe('refunded');
  });

  test('a declined card gives the credit back with the answer', async () => {
    const owner = await ownerOf(500);
    const { customer } = owner;
    const body = { customer, credit_minor: 500, payment_method: DECLINED_CARD };
    expect((await steps.place(body)).status).toBe(402);
    expect(await ledgerOf(owner)).toEqual(['granted 500', 'spent -500', 'given_back 500']);
  });

  test('a refused capture voids the card, and the end of the order gives the credit back', async () => {
    const owner = await ownerOf(500);
    const orderId = await placed(owner, 500);
    await steps.run('reserveStock', { orderId });
    steps.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'refuse' });
    expect(await steps.run('capturePayment', { orderId })).toMatchObject({ kind: 'refused' });
    await cancel(orderId);
    expect(await balanceOf(owner)).toBe(500);
    expect(amountsAtProvider(orderId)).toEqual(['authorize 700', 'void 700']);
  });

  test('a cancel refunds the card and gives back the credit that no refund returned', async () => {
    const owner = await ownerOf(500);
    const orderId = await paid(owner, 500);
    expect(await refund(orderId, { amount_minor: 300, to: 'credit' })).toEqual({
      amountMinor: 300,
      creditMinor: 300,
    });
    await cancel(orderId);
    expect(amountsAtProvider(orderId)).toEqual(['authorize 700', 'capture 700', 'refund 700']);
    expect(await ledgerOf(owner)).toEqual([
      'granted 500',
      'spent -500',
      'refunded 300',
      'given_back 200',
    ]);
  });
});

describe('a refund to store credit', () => {
  test('money of the card becomes credit, and a cancel refunds only what is left', async () => {
    const owner = await ownerOf(1);
    const orderId = await paid(owner, 0);
    await refund(orderId, { amount_minor: 400, to: 'credit' });
    await cancel(orderId);
    expect(amountsAtProvider(orderId)).toEqual(['authorize 1200', 'capture 1200', 'refund 800']);
    expect(await ledgerOf(owner)).toEqual(['granted 1', 'refunded 400']);
    expect(await paymentOf(orderId)).toMatchObject({
      status: 'partially_refunded',
      refundedMinor: 800,
      creditedMinor: 400,
    });
  });

  test('a refund that the provider refuses credits nothing, and can be requested again', async () => {
    const owner = await ownerOf(500);
    const orderId = await paid(owner, 500);
    steps.sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'refuse' });
    await refund(orderId, {});
    expect(await balanceOf(owner)).toBe(0);
    steps.sandbox.faults.clear();
    expect(await refund(orderId, { to: 'credit' })).toMatchObject({ creditMinor: PRICE });
    expect(await balanceOf(owner)).toBe(PRICE);
  });
});

describe('a balance', () => {
  test('a balance that many orders race for pays exactly as many as it can', async () => {
    const owner = await ownerOf(3 * PRICE);
    const body = { customer: owner.customer, credit_minor: PRICE, payment_method: undefined };
    const responses = await Promise.all(Array.from({ length: 12 }, () => steps.place(body)));
    const refused = responses.filter(({ status }) => status === 409);
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(refused).toHaveLength(9);
    for (const response of refused) {
      expect(await problemOf(response)).toMatchObject({
        code: 'credit_insufficient',
        requested_minor: PRICE,
        currency: 'EUR',
      });
    }
    expect(await balanceOf(owner)).toBe(0);
    const problem = await problemOf(await steps.place(body));
    expect(problem).toMatchObject({ code: 'credit_insufficient', available_minor: 0 });
  });

  test('an order that waits for its account keeps no other order from the stock', async () => {
    const owner = await ownerOf(PRICE);
    const waiting = await steps.db.$transaction(async (tx) => {
      await tx.$executeRaw`SELECT FROM credit_accounts WHERE customer_id = ${owner.id} FOR UPDATE`;
      const response = placed(owner, PRICE);
      await untilOneWaits(steps.db);
      expect((await steps.place()).status).toBe(201);
      return { response };
    });
    expect(await waiting.response).toMatch(/^ord_/);
  });

  test('credit in another currency, or of an unknown customer, is not spent', async () => {
    const nobody = { email: `${randomUUID()}@example.com`, name: 'Ada' };
    const response = await steps.place({ customer: nobody, credit_minor: 100 });
    const problem = { code: 'credit_insufficient', available_minor: 0 };
    expect(await problemOf(response)).toMatchObject(problem);
  });

  test.each([
    ['more than the total', { credit_minor: PRICE + 1 }, '#/credit_minor'],
    ['too much for the card to pay the rest', { credit_minor: PRICE - 1 }, '#/credit_minor'],
    [
      'a part, without a card for the rest',
      { credit_minor: 100, payment_method: undefined },
      '#/payment_method',
    ],
  ])('credit that is %s is refused, and nothing is begun', async (_, body, pointer) => {
    const owner = await ownerOf(5_000);
    const response = await steps.place({ customer: owner.customer, ...body });
    expect(response.status).toBe(422);
    expect((await problemOf(response)).errors).toMatchObject([{ pointer }]);
    expect(await ledgerOf(owner)).toEqual(['granted 5000']);
  });
});

describe('the expiry of credit', () => {
  const PAST = '2026-01-01T00:00:00Z';
  const sweep = (): Promise<unknown> =>
    new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') }).run(
      (): Promise<number> => expireDueCredit(steps),
    );

  test('what is left of an expired grant goes once, after what was spent of it', async () => {
    const owner = await ownerOf(2_000, PAST);
    await grant(owner.id, 100);
    await placed(owner, PRICE);
    await sweep();
    await sweep();
    expect(await ledgerOf(owner)).toEqual([
      'granted 2000',
      'granted 100',
      'spent -1200',
      'expired -800',
    ]);
  });

  test('credit that was spent before a grant was made is not spent of that grant', async () => {
    const owner = await ownerOf(PRICE);
    await placed(owner, PRICE);
    await grant(owner.id, 300, PAST);
    await sweep();
    expect((await ledgerOf(owner)).at(-1)).toBe('expired -300');
    expect(await balanceOf(owner)).toBe(0);
  });

  test('credit of a cancelled order comes back although its grant expired meanwhile', async () => {
    const owner = await ownerOf(PRICE, PAST);
    const orderId = await placed(owner, PRICE);
    await sweep();
    await cancel(orderId);
    await sweep();
    expect(await balanceOf(owner)).toBe(PRICE);
  });

  test('an account that cannot be settled stops no other, and is settled later', async () => {
    const [poisoned, sound] = [await ownerOf(10, PAST), await ownerOf(20, PAST)];
    await steps.db.$executeRawUnsafe(`ALTER TABLE credit_entries ADD CONSTRAINT poison
      CHECK (kind <> 'expired' OR customer_id <> '${poisoned.id}')`);
    await sweep();
    expect([await balanceOf(poisoned), await balanceOf(sound)]).toEqual([10, 0]);
    await steps.db.$executeRaw`ALTER TABLE credit_entries DROP CONSTRAINT poison`;
    await sweep();
    expect(await balanceOf(poisoned)).toBe(0);
  });
});
