import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Subscriber } from '../../../activities/events/subscribers/subscriber.ts';
import { createWarehouseFeedSubscriber } from '../../../activities/events/subscribers/warehouse-feed.ts';
import type { Order } from '../../../domain/order.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { deliveriesOf } from './deliveries.ts';
import { SCENARIOS, NEVER, useHistory, wanted } from './history.ts';

const history = useHistory();
let feed: Subscriber;
let orders: readonly Order[];
let log: readonly LoggedEvent[];

beforeAll(async () => {
  feed = createWarehouseFeedSubscriber(history);
  const lived: Order[] = [];
  for (const scenario of [...SCENARIOS, ...SCENARIOS]) {
    const mugs = { sku: 'mug-white', quantity: 1 + lived.length };
    const lines = lived.length % 2 ? [mugs] : [{ sku: 'tee-black-m', quantity: 3 }, mugs];
    lived.push(await history.live({ scenario, lines }));
  }
  orders = lived;
  log = wanted(feed, await history.log());
});
beforeEach(() => purge());

async function purge(): Promise<void> {
  await history.db.warehouseFeedBatch.deleteMany();
  await history.db.consumedEvent.deleteMany();
}

const units = { ordered: z.int(), shipped: z.int(), cancelled: z.int() };
const linesOf = z.array(z.strictObject({ sku: z.string(), ...units }));

async function batches() {
  const rows = await history.db.warehouseFeedBatch.findMany({ orderBy: { id: 'asc' } });
  return rows.map((row) => ({ ...row, lines: linesOf.parse(row.lines) }));
}

const COLUMN: Readonly<Record<string, 'ordered' | 'shipped' | 'cancelled'>> = {
  'order.placed': 'ordered',
  'order.shipped': 'shipped',
  'order.cancelled': 'cancelled',
};

/** The lines of a batch of these events, counted in the test. */
function expected(events: readonly LoggedEvent[]) {
  const sums: Record<string, Record<'ordered' | 'shipped' | 'cancelled', number>> = {};
  for (const event of events) {
    const column = COLUMN[event.type];
    for (const { sku, quantity } of orders.find(({ id }) => id === event.orderId)?.lines ?? []) {
      const sum = (sums[sku] ??= { ordered: 0, shipped: 0, cancelled: 0 });
      if (column) sum[column] += quantity;
    }
  }
  const lines = Object.entries(sums).map(([sku, sum]) => ({ sku, ...sum }));
  return lines.toSorted((a, b) => (a.sku < b.sku ? -1 : 1));
}

/** All batches added up. */
async function total() {
  const sums: ReturnType<typeof expected> = [];
  for (const line of (await batches()).flatMap(({ lines }) => lines)) {
    const sum = sums.find(({ sku }) => sku === line.sku);
    if (!sum) sums.push({ ...line });
    else for (const column of Object.values(COLUMN)) sum[column] += line[column];
  }
  return sums.toSorted((a, b) => (a.sku < b.sku ? -1 : 1));
}

describe('the warehouse feed', () => {
  test('the warehouse feed writes one row per batch with the units of each SKU', async () => {
    await feed.handle(log, NEVER);
    expect(await batches()).toMatchObject([
      { firstEventId: log[0]?.id, events: log.length, lines: expected(log) },
    ]);
  });

  test('the warehouse feed leaves the units of open orders as outstanding', async () => {
    await feed.handle(log, NEVER);
    const open = await history.db.orderLine.groupBy({
      by: ['sku'],
      where: { order: { status: 'placed' } },
      _sum: { quantity: true },
    });
    const outstanding = (await total()).map(({ sku, ordered, shipped, cancelled }) => ({
      sku,
      _sum: { quantity: ordered - shipped - cancelled },
    }));
    expect(outstanding).toEqual(open.toSorted((a, b) => (a.sku < b.sku ? -1 : 1)));
  });

  test('a partly redelivered batch processes only the new events', async () => {
    const half = Math.ceil(log.length / 2);
    await feed.handle(log.slice(0, half), NEVER);
    await feed.handle(log, NEVER);
    expect(await batches()).toMatchObject([
      { firstEventId: log[0]?.id, events: half, lines: expected(log.slice(0, half)) },
      { firstEventId: log[half]?.id, lines: expected(log.slice(half)) },
    ]);
  });

  test('a fully redelivered batch adds no row to the warehouse feed', async () => {
    await feed.handle(log, NEVER);
    await feed.handle(log, NEVER);
    await feed.handle(log.slice(3, 4), NEVER);
    expect(await batches()).toHaveLength(1);
  });

  test('the warehouse feed totals do not depend on how events are batched, repeated or reordered', async () => {
    const anyDelivery = fc.asyncProperty(deliveriesOf(log), async (deliveries) => {
      await purge();
      for (const batch of deliveries) await feed.handle(batch, NEVER);
      expect(await total()).toEqual(expected(log));
      const counted = (await batches()).reduce((sum, { events }) => sum + events, 0);
      expect(counted).toBe(log.length);
    });
    await fc.assert(anyDelivery, { numRuns: 25 });
  });
});
