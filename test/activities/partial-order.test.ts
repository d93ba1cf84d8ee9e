import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { isOrderId, type CustomerId, type Notification, type OrderId } from '../../domain/ids.ts';
import { compareShipment } from '../../domain/reconciliation.ts';
import { newId } from '../../prisma/client/ids.ts';
import { findBalances } from '../../prisma/credit/accounts.ts';
import { grantCredit } from '../../prisma/credit/grant.ts';
import { findShipmentRecords } from '../../prisma/operations/reconciliation-records.ts';
import { recordCancelling } from '../../prisma/orders/record-steps.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { refundCalls } from '../api/refund-calls.ts';
import { expectInvariants } from '../support/invariants.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { useSteps } from './steps.ts';

const steps = useSteps();
const SKUS = ['mug-white', 'poster-a2', 'tee-black-m'] as const;
const PRICES = { 'mug-white': 1_200, 'poster-a2': 1_900, 'tee-black-m': 2_500 } as const;
type Sku = (typeof SKUS)[number];

afterEach(() => {
  for (const sku of SKUS) steps.sandbox.warehouseStock.set(sku, null);
});
afterAll(() => expectInvariants(steps.db));

interface Owner {
  readonly id: CustomerId;
  readonly customer: { readonly email: string; readonly name: string; readonly language: string };
}

async function ownerOf(amountMinor = 0, language = 'en'): Promise<Owner> {
  const id = newId('customer');
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada' };
  await steps.db.customer.create({ data: { id, ...person } });
  const granted = { customerId: id, amountMinor, currency: 'EUR', reason: 'test', expiresAt: null };
  if (amountMinor > 0) {
    await steps.db.$transaction((tx) => grantCredit(tx, { ...granted, actor: 'key_operator' }));
  }
  return { id, customer: { ...person, language } };
}

/** Three mugs, a poster and two tees for 105.00, with 4.90 of shipping. */
const LINES = [
  { sku: 'mug-white', quantity: 3 },
  { sku: 'poster-a2', quantity: 1 },
  { sku: 'tee-black-m', quantity: 2 },
];
const ADJUSTMENTS = [{ kind: 'shipping', label: 'Parcel', amount_minor: 490 }];
const TOTAL = 10_990;

async function place(body: object): Promise<OrderId> {
  const response = await steps.place({
    lines: LINES,
    adjustments: ADJUSTMENTS,
    fulfillment: 'ship_available',
    ...body,
  });
  expect(response.status).toBe(201);
  const { id } = await orderOf(response);
  if (!isOrderId(id)) throw new Error(`no id of an order: ${id}`);
  return id;
}

/** Two mugs and the tees, but no poster: 77.45 with their part of the shipping. */
function leaveTwoLines(): void {
  steps.sandbox.warehouseStock.set('mug-white', 2);
  steps.sandbox.warehouseStock.set('poster-a2', 0);
}
const DUE = 7_745;

async function reserved(body: object = {}): Promise<OrderId> {
  const orderId = await place(body);
  leaveTwoLines();
  expect(await steps.run('reserveStock', { orderId })).toEqual({ kind: 'reserved' });
  return orderId;
}

async function paid(body: object = {}): Promise<OrderId> {
  const orderId = await reserved(body);
  await steps.run('capturePayment', { orderId });
  return orderId;
}

async function cancel(orderId: OrderId): Promise<void> {
  await recordCancelling(steps.db, orderId, { reason: 'requested_by_customer', request: null });
  await steps.run('voidOrRefundPayment', { orderId });
  await steps.run('releaseStock', { orderId });
  await steps.run('recordCancelled', { orderId, reason: 'requested_by_customer' });
}

function amountsAtProvider(orderId: OrderId): readonly string[] {
  return steps.sandbox.ledgers.payments
    .effects()
    .filter(({ order_id }) => order_id === orderId)
    .map(({ operation, amount_minor }) => `${operation} ${amount_minor}`);
}

const paymentOf = (orderId: OrderId) => steps.db.payment.findUniqueOrThrow({ where: { orderId } });
const balanceOf = async ({ id }: Owner) => (await findBalances(steps.db, id))?.[0]?.amountMinor;
const heldOf = async (sku: Sku) =>
  (await steps.db.stock.findUniqueOrThrow({ where: { sku } })).held;

describe('an order of which the warehouse has a part', () => {
  test('what there is is captured and sent, and the rest is free for others', async () => {
    const before = await Promise.all(SKUS.map(heldOf));
    const orderId = await paid();
    expect(amountsAtProvider(orderId)).toEqual([`authorize ${TOTAL}`, `capture ${DUE}`]);
    const held = await Promise.all(SKUS.map(heldOf));
    expect(held.map((units, at) => units - (before[at] ?? 0))).toEqual([2, 0, 2]);
    const sent: unknown[] = [];
    const { warehouse } = steps.gateways;
    const watched = steps.replacing({
      warehouse: {
        ...warehouse,
        ship: (request) => {
          sent.push(request.lines);
          return warehouse.ship(request);
        },
      },
    });
    await watched.run('requestShipment', { orderId });
    const lines = [
      { sku: 'mug-white', quantity: 2 },
      { sku: 'tee-black-m', quantity: 2 },
    ];
    expect(sent).toEqual([lines]);
    await steps.run('recordShipped', { orderId, carrier: 'Test Parcel', trackingNumber: 'TP1' });
    expect(await Promise.all(SKUS.map(heldOf))).toEqual(before);
    const moved = { orderId, kind: 'shipped' } as const;
    const movements = await steps.db.stockMovement.findMany({
      where: moved,
      orderBy: { sku: 'asc' },
    });
    expect(movements.map(({ sku, delta }) => ({ sku, quantity: -delta }))).toEqual(lines);
  });

  test('the order says what was ordered, what is sent and what is paid, and so does its event', async () => {
    const orderId = await paid();
    const lines = [
      { sku: 'mug-white', quantity: 3, reserved_quantity: 2 },
      { sku: 'poster-a2', quantity: 1, reserved_quantity: 0 },
      { sku: 'tee-black-m', quantity: 2, reserved_quantity: 2 },
    ];
    const response = await steps.request('GET', `/v1/orders/${orderId}`);
    expect(await response.json()).toMatchObject({
      fulfillment: 'ship_available',
      total_minor: TOTAL,
      due_minor: DUE,
      lines,
      payment: { status: 'captured', amount_minor: TOTAL, captured_minor: DUE },
    });
    const type = { orderId, type: 'order.reserved' };
    expect((await steps.db.event.findFirstOrThrow({ where: type })).data).toEqual({
      lines,
      due_minor: DUE,
      credit_returned_minor: 0,
    });
  });

  const nearlyAll = { kind: 'discount', label: 'Nearly all', amount_minor: -10_400 };
  test.each([
    ['all or nothing is wanted', [1, 0, 2], { fulfillment: 'all_or_nothing' }],
    ['the warehouse has nothing', [0, 0, 0], {}],
    [
      'what there is costs less than a card can be charged',
      [3, 0, 0],
      { adjustments: [nearlyAll] },
    ],
  ])('nothing is sent and nothing is charged when %s', async (_, there, body) => {
    const orderId = await place(body);
    SKUS.forEach((sku, at) => steps.sandbox.warehouseStock.set(sku, there[at] ?? 0));
    const reason = there[0] === 3 ? 'too_little_available' : 'not_available';
    expect(await steps.run('reserveStock', { orderId })).toEqual({ kind: 'refused', reason });
    await cancel(orderId);
    expect(amountsAtProvider(orderId).map((each) => each.split(' ')[0])).toEqual([
      'authorize',
      'void',
    ]);
    const record = await steps.gateways.warehouse.lookUpRecord({ orderId });
    expect(record).toMatchObject({ record: { reservation: 'released' } });
  });

  test('store credit is given back first, and the card is charged less by the rest only', async () => {
    const owner = await ownerOf(4_000);
    const some = await paid({ customer: owner.customer, credit_minor: 4_000 });
    expect(await balanceOf(owner)).toBe(TOTAL - DUE);
    expect(amountsAtProvider(some)).toEqual(['authorize 6990', 'capture 6990']);
    const other = await ownerOf(1_000);
    const all = await paid({ customer: other.customer, credit_minor: 1_000 });
    expect(await balanceOf(other)).toBe(1_000);
    expect(amountsAtProvider(all)).toEqual(['authorize 9990', `capture ${DUE}`]);
  });

  test('an order that credit pays is charged less credit, and the provider is not called', async () => {
    const owner = await ownerOf(TOTAL);
    const body = { customer: owner.customer, credit_minor: TOTAL, payment_method: undefined };
    const orderId = await paid(body);
    expect(await balanceOf(owner)).toBe(TOTAL - DUE);
    expect(amountsAtProvider(orderId)).toEqual([]);
    await cancel(orderId);
    expect(await balanceOf(owner)).toBe(TOTAL);
  });
});

describe('a lost answer', () => {
  test('a reserve whose answer was lost is answered the same, although more has come in', async () => {
    const orderId = await place({});
    leaveTwoLines();
    const fault = { mode: 'answer_lost', times: 1 } as const;
    steps.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, fault);
    await steps.runFailing('reserveStock', { orderId });
    for (const sku of SKUS) steps.sandbox.warehouseStock.set(sku, 100);
    for (let times = 0; times < 2; times += 1) await steps.run('reserveStock', { orderId });
    const order = await steps.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(order.dueMinor).toBe(DUE);
  });

  test('a capture whose answer was lost is found with the amount that was captured', async () => {
    const orderId = await reserved();
    const fault = { mode: 'answer_lost', times: 1 } as const;
    steps.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, fault);
    await steps.runFailing('capturePayment', { orderId });
    const found = { kind: 'captured', amountMinor: DUE };
    for (let times = 0; times < 2; times += 1) {
      expect(await steps.run('capturePayment', { orderId })).toEqual(found);
    }
    expect(amountsAtProvider(orderId)).toEqual([`authorize ${TOTAL}`, `capture ${DUE}`]);
    expect(await paymentOf(orderId)).toMatchObject({ capturedMinor: DUE, status: 'captured' });
  });
});

describe('a cancel', () => {
  test('a cancel before the capture voids the card and gives back what credit is left', async () => {
    const owner = await ownerOf(4_000);
    const orderId = await reserved({ customer: owner.customer, credit_minor: 4_000 });
    await cancel(orderId);
    expect(amountsAtProvider(orderId)).toEqual(['authorize 6990', 'void 6990']);
    expect(await balanceOf(owner)).toBe(4_000);
  });

  test.each(['recorded', 'lost'] as const)(
    'a cancel after a capture whose answer was %s refunds exactly what was captured',
    async (answer) => {
      const owner = await ownerOf(1_000);
      const orderId = await reserved({ customer: owner.customer, credit_minor: 1_000 });
      const fault = { mode: 'answer_lost', times: 1 } as const;
      if (answer === 'recorded') await steps.run('capturePayment', { orderId });
      else {
        steps.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, fault);
        await steps.runFailing('capturePayment', { orderId });
      }
      await cancel(orderId);
      expect(amountsAtProvider(orderId)).toEqual([
        'authorize 9990',
        `capture ${DUE}`,
        `refund ${DUE}`,
      ]);
      expect(await balanceOf(owner)).toBe(1_000);
      expect((await paymentOf(orderId)).status).toBe('refunded');
    },
  );
});

describe('a refund', () => {
  const ask = (id: OrderId, body: object) => refundCalls(steps).refund(id, body);

  async function refund(orderId: OrderId, body: object): Promise<number> {
    expect((await ask(orderId, body)).status).toBe(202);
    const last = (await listRefunds(steps.db, orderId)).at(-1);
    if (!last) throw new Error('no refund');
    await steps.run('refundPayment', { orderId, refundId: last.id });
    return last.amountMinor;
  }

  test('a refund by lines refuses what was not sent, and those of all that was sent are what was paid', async () => {
    const orderId = await paid();
    for (const [sku, quantity, left] of [
      ['poster-a2', 1, 0],
      ['mug-white', 3, 2],
    ] as const) {
      const response = await ask(orderId, { lines: [{ sku, quantity }] });
      expect(response.status).toBe(422);
      const [error] = (await problemOf(response)).errors ?? [];
      expect(error).toMatchObject({
        pointer: '#/lines/0/quantity',
        detail: expect.stringContaining(`${left}`),
      });
    }
    const sums = [
      await refund(orderId, { lines: [{ sku: 'mug-white', quantity: 1 }] }),
      await refund(orderId, { lines: [{ sku: 'tee-black-m', quantity: 2 }] }),
      await refund(orderId, { lines: [{ sku: 'mug-white', quantity: 1 }] }),
    ];
    expect(sums.reduce((sum, each) => sum + each, 0)).toBe(DUE);
    expect((await paymentOf(orderId)).status).toBe('refunded');
  });

  test('a refund of more than was captured is refused, and one of all is what was captured', async () => {
    const orderId = await paid();
    const response = await ask(orderId, { amount_minor: DUE + 1 });
    const problem = { code: 'refund_exceeds_captured', refundable_minor: DUE };
    expect(await problemOf(response)).toMatchObject(problem);
    expect(await refund(orderId, {})).toBe(DUE);
    const [refunded] = await listRefunds(steps.db, orderId);
    const mails = await mailsOf(orderId, `refunded/${refunded?.id}`);
    expect(mails.at(-1)?.text).toContain('We have refunded your order in full: €77.45.');
  });
});

async function mailsOf(orderId: OrderId, notification: Notification) {
  await steps.run('notifyCustomer', { orderId, notification });
  return steps.sandbox.inbox.mailsOf(orderId);
}

describe('the customer', () => {
  test.each([
    [
      'en',
      [
        'A part of it is not available',
        'We send: 2 x White mug\nWe send: 2 x Black T-shirt, M\nNot available: 1 x White mug\nNot available: 1 x Poster, A2',
        '€10.00 of your store credit is given back.',
        '€22.45 of the amount that is reserved on your card is released',
        'Total: €109.90\nNot available: -€32.45\nYou pay: €77.45\nPaid by card: €77.45',
      ],
    ],
    [
      'de',
      [
        'Ein Teil davon ist leider nicht verfügbar',
        'Nicht verfügbar: 1 x Poster, A2',
        'Von Ihrem Guthaben schreiben wir Ihnen 10,00 € wieder gut.',
        'geben wir 22,45 € frei',
        'Gesamtbetrag: 109,90 €\nNicht verfügbar: -32,45 €\nSie zahlen: 77,45 €',
      ],
    ],
  ])(
    'the confirmation in %s says what is sent, what is not, and what is charged',
    async (language, texts) => {
      const owner = await ownerOf(1_000, language);
      const orderId = await paid({ customer: owner.customer, credit_minor: 1_000 });
      const [mail] = await mailsOf(orderId, 'confirmed');
      for (const text of texts) expect(mail?.text.replaceAll('\u00a0', ' ')).toContain(text);
    },
  );
});

describe('any order', () => {
  test('what is captured, given back, kept and released is the total, in both ledgers', async () => {
    const random = createSeededRandom();
    const orders: OrderId[] = [];
    for (let count = 0; count < 12; count += 1) {
      const wanted = SKUS.map((sku) => ({ sku, quantity: random.between(1, 4) }));
      const price = wanted.reduce((sum, { sku, quantity }) => sum + PRICES[sku] * quantity, 0);
      const adjustment = { kind: 'other', label: 'x', amount_minor: random.between(-1_000, 1_000) };
      const total = price + adjustment.amount_minor;
      const credit = random.between(0, total - 100);
      const owner = await ownerOf(credit + 1);
      const orderId = await place({
        customer: owner.customer,
        lines: wanted,
        adjustments: [adjustment],
        credit_minor: credit,
      });
      const left = wanted.map(({ quantity }) => random.between(0, quantity));
      SKUS.forEach((sku, at) => steps.sandbox.warehouseStock.set(sku, left[at] ?? 0));
      const outcome = await steps.run('reserveStock', { orderId });
      if (left.every((units) => units === 0)) {
        expect(outcome).toMatchObject({ kind: 'refused' });
        await cancel(orderId);
        continue;
      }
      await steps.run('capturePayment', { orderId });
      const order = await steps.db.order.findUniqueOrThrow({ where: { id: orderId } });
      const { amountMinor, capturedMinor, creditMinor } = await paymentOf(orderId);
      const givenBack = ((await balanceOf(owner)) ?? 0) - 1;
      const due = order.dueMinor ?? total;
      expect(capturedMinor + creditMinor).toBe(due);
      expect(capturedMinor + creditMinor + givenBack + (amountMinor - capturedMinor)).toBe(total);
      // Credit comes back first.
      if (creditMinor > 0) expect(capturedMinor).toBe(amountMinor);
      expect(amountsAtProvider(orderId)).toEqual([
        `authorize ${amountMinor}`,
        `capture ${capturedMinor}`,
      ]);
      orders.push(orderId);
    }
    expect(orders.length).toBeGreaterThan(6);
    const records = await findShipmentRecords(steps.db, orders);
    for (const ours of records) {
      const found = await steps.gateways.warehouse.lookUpRecord({ orderId: ours.orderId });
      if (found.kind !== 'found') throw new Error(found.kind);
      const lines = found.record.lines.map(({ sku, quantity }) => `${sku} x ${quantity}`);
      const theirs = { ...found.record, lines: lines.toSorted() };
      expect(compareShipment({ ...ours, inFlight: false }, theirs)).toBeNull();
    }
    expect(records).toHaveLength(orders.length);
  });
});
