import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAnalyticsSubscriber } from '../../../activities/events/subscribers/analytics.ts';
import type { Subscriber } from '../../../activities/events/subscribers/subscriber.ts';
import type { Order } from '../../../domain/order.ts';
import { transitionOrder } from '../../../prisma/orders/transition.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { deliveriesOf } from './deliveries.ts';
import { SCENARIOS, NEVER, useHistory, wanted } from './history.ts';

const history = useHistory();
let analytics: Subscriber;
let orders: readonly Order[];
/** Spread over three hours, the last of them in another year. */
let log: readonly LoggedEvent[];

const HOURS = ['2026-12-31T22:00:00.000Z', '2026-12-31T23:00:00.000Z', '2027-01-01T00:00:00.000Z'];

beforeAll(async () => {
  analytics = createAnalyticsSubscriber(history);
  const carts = [
    [{ sku: 'mug-white', quantity: 2 }],
    [
      { sku: 'tee-black-m', quantity: 1 },
      { sku: 'mug-white', quantity: 5 },
    ],
  ];
  const lived: Order[] = [];
  for (const currency of ['EUR', 'USD']) {
    for (const lines of carts) {
      for (const scenario of SCENARIOS)
        lived.push(await history.live({ scenario, lines, currency }));
    }
  }
  orders = lived;
  await refundSome();
  log = wanted(analytics, await history.log()).map((event, at) => ({
    ...event,
    time: new Date(Date.parse(HOURS[at % 3] ?? '') + (at % 2) * 3_599_999).toISOString(),
  }));
});
beforeEach(() => purge());

/** What the steps of refunds publish: part of one order, and all of another as its compensation. */
async function refundSome(): Promise<void> {
  const [requested, compensated] = orders;
  if (!requested || !compensated) throw new Error('no orders');
  const { totalMinor } = compensated;
  await history.db.$transaction(async (tx) => {
    for (const [orderId, type, amount] of [
      [requested.id, 'refund.succeeded', REFUNDED],
      [compensated.id, 'order.payment_refunded', totalMinor],
    ] as const) {
      const data = { amount_minor: amount, currency: 'EUR' };
      await transitionOrder(tx, { orderId, type, dedupKey: null, data });
    }
  });
}

async function purge(): Promise<void> {
  await history.db.analyticsHour.deleteMany();
  await history.db.salesHour.deleteMany();
  await history.db.consumedEvent.deleteMany();
}

async function figures() {
  const rows = await history.db.analyticsHour.findMany();
  return Object.fromEntries(
    rows.map(({ hour, sku, currency, revenueMinor, ...counts }) => [
      `${hour.toISOString()} ${sku} ${currency}`,
      { ...counts, revenueMinor: Number(revenueMinor) },
    ]),
  );
}

/** The same, counted in the test. */
function expected() {
  const sums: Record<string, ReturnType<typeof zero>> = {};
  for (const event of log) {
    const order = orders.find(({ id }) => id === event.orderId);
    if (!['order.placed', 'order.declined', 'order.cancelled'].includes(event.type)) continue;
    for (const { sku, quantity, unitPriceMinor } of order?.lines ?? []) {
      const sum = (sums[`${event.time.slice(0, 13)}:00:00.000Z ${sku} ${order?.currency}`] ??=
        zero());
      if (event.type === 'order.declined') sum.declines += 1;
      if (event.type === 'order.cancelled') sum.compensations += 1;
      if (event.type !== 'order.placed') continue;
      sum.orders += 1;
      sum.units += quantity;
      sum.revenueMinor += quantity * unitPriceMinor;
    }
  }
  return sums;
}

const zero = () => ({ orders: 0, units: 0, revenueMinor: 0, declines: 0, compensations: 0 });

async function salesFigures() {
  const rows = await history.db.salesHour.findMany();
  return Object.fromEntries(
    rows.map(({ hour, currency, revenueMinor, refundedMinor, ...counts }) => {
      const money = { revenueMinor: Number(revenueMinor), refundedMinor: Number(refundedMinor) };
      return [`${hour.toISOString()} ${currency}`, { ...counts, ...money }];
    }),
  );
}

/** The same, counted in the test. */
function expectedSales() {
  const sums: Record<string, ReturnType<typeof noSales>> = {};
  for (const event of log) {
    const order = orders.find(({ id }) => id === event.orderId);
    const sum = (sums[`${event.time.slice(0, 13)}:00:00.000Z ${order?.currency}`] ??= noSales());
    if (event.type === 'order.declined') sum.declined += 1;
    if (event.type === 'order.cancelled') sum.cancelled += 1;
    if (event.type === 'order.shipped') sum.shipped += 1;
    if (event.type === 'refund.succeeded') sum.refundedMinor += REFUNDED;
    if (event.type === 'order.payment_refunded') sum.refundedMinor += order?.totalMinor ?? 0;
    if (event.type !== 'order.placed') continue;
    sum.orders += 1;
    sum.revenueMinor += order?.totalMinor ?? 0;
  }
  return sums;
}

const REFUNDED = 150;
const noSales = () => ({
  orders: 0,
  declined: 0,
  cancelled: 0,
  shipped: 0,
  revenueMinor: 0,
  refundedMinor: 0,
});

describe('the hourly figures', () => {
  test('the hourly figures are the sums over the orders per hour, SKU and currency', async () => {
    await analytics.handle(log, NEVER);
    const sums = await figures();
    expect(sums).toEqual(expected());
    expect(Object.keys(sums)).toHaveLength(HOURS.length * 2 * 2);
  });

  test('the hourly sales count each order once, whatever its SKUs, and what was shipped and returned', async () => {
    await analytics.handle(log, NEVER);
    const sums = await salesFigures();
    expect(sums).toEqual(expectedSales());
    const total = Object.values(sums).reduce((sum, { refundedMinor }) => sum + refundedMinor, 0);
    expect(total).toBeGreaterThan(REFUNDED);
  });

  test('the hourly figures do not depend on how events are batched, repeated or reordered', async () => {
    const anyDelivery = fc.asyncProperty(deliveriesOf(log), async (deliveries) => {
      await purge();
      for (const batch of deliveries) await analytics.handle(batch, NEVER);
      expect(await figures()).toEqual(expected());
      expect(await salesFigures()).toEqual(expectedSales());
    });
    await fc.assert(anyDelivery, { numRuns: 25 });
  });

  test('the hourly figures count each event once when batches are delivered concurrently', async () => {
    const half = log.slice(log.length / 2);
    await Promise.all([log, half, log].map((batch) => analytics.handle(batch, NEVER)));
    expect(await figures()).toEqual(expected());
  });

  test('the hourly figures count an order once for each of its SKUs', async () => {
    const placed = log.filter(({ type }) => type === 'order.placed');
    await analytics.handle(placed, NEVER);
    const sums = Object.values(await figures());
    const lines = placed.map((event) => orders.find(({ id }) => id === event.orderId)?.lines);
    expect(sums.reduce((sum, { orders: count }) => sum + count, 0)).toBe(lines.flat().length);
  });
});
