/**
 * Reads must not grow with the orders that are finished. PostgreSQL counts the rows, with a few thousand
 * orders and with five times as many. A read that has no index still makes a sequential scan.
 */
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { pumpOnce } from '../../activities/events/pump.ts';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { registerEventMetrics } from '../../api/operations/event-metrics.ts';
import type { OrderId } from '../../domain/ids.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { listFigures } from '../../prisma/events/analytics.ts';
import { listGroups } from '../../prisma/events/dead-letter-groups.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import { cursorBefore, LOG_START, readLog } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { listEventsBetween } from '../../prisma/events/webhook-attempts.ts';
import { listProducts } from '../../prisma/catalog/products.ts';
import {
  listPaymentRecords,
  listShipmentRecords,
} from '../../prisma/operations/reconciliation-records.ts';
import { listOrders, type OrderFilter } from '../../prisma/orders/list-orders.ts';
import { selectOrders } from '../../prisma/orders/select-orders.ts';
import { findOrder, findShipment, listOrderEvents } from '../../prisma/orders/orders.ts';
import { findRetriedSteps } from '../../prisma/orders/retried-steps.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { exportCustomer, exportOrders } from '../../prisma/privacy/export.ts';
import { listErasable, listUnderWay } from '../../prisma/privacy/erase.ts';
import { backgroundReads, type BackgroundReads } from '../../tools/bench/growth/background.ts';
import { seedOrders } from '../../tools/bench/growth/seed.ts';
import { createTestDatabase, TIMEOUT_FACTOR } from '../support/database.ts';
import { expectInvariants } from '../support/invariants.ts';
import { runKilledReport } from './killed-report.ts';
import { inActivity } from '../support/in-activity.ts';
import { openShopForTest } from '../support/shop.ts';
import { useOpened } from '../support/use-opened.ts';

const few = useSeeded(2_000);
const many = useSeeded(10_000);

/**
 * As with many orders: PostgreSQL prefers sequential scans, and one plan for all arguments of a statement,
 * only where a table is so small that it does not matter.
 */
const PLANNER = '-c enable_seqscan=off -c plan_cache_mode=force_custom_plan';
const RECALLED = { statuses: ['paid', 'shipped', 'delivered'] } as const;
/** The seed has some at the end of the log. */
const RARE = 'order.needs_attention';

test('the seeded orders violate no invariant', async () => {
  expect(await few.db.order.count()).toBe(2_000);
  await expectInvariants(few.db, { scope: 'all' });
});

test('a report whose attempts are killed before and after their commits is right, and its progress never goes backwards', async () => {
  const report = await runKilledReport(many.url);
  expect(report.deaths).toBeGreaterThan(5);
  const done = report.heartbeats.map((each) => each.done);
  expect(done.length).toBeGreaterThan(report.deaths);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(report.rows.length).toBeGreaterThan(1_000);
  expect(report.rows).toEqual(report.expected);
  await expectInvariants(many.db, { scope: 'all' });
});

test('lists and background reads read as many rows with five times the finished orders', async () => {
  expect(await findGrowing()).toEqual({});
});

describe('events of a rare type behind more events than a read looks at', () => {
  test('pages of the feed reach all of them, and say that more may follow while they are empty', async () => {
    const shop = await openShopForTest({ databaseUrl: many.url });
    const pages: { readonly data: readonly unknown[]; readonly has_more: boolean }[] = [];
    for (let after: string = LOG_START; ;) {
      const path = `/v1/events?types=${RARE}&limit=10&after=${after}`;
      const response = await shop.request('GET', path, { role: 'operator' });
      const page = feedPage.parse(await response.json());
      pages.push(page);
      if (!page.has_more) break;
      after = page.next;
    }
    expect(pages.flatMap(({ data }) => data)).toHaveLength(await countRare());
    expect(pages[0]).toMatchObject({ data: [], has_more: true });
  });

  test('a pump delivers each of them once, from the beginning of the log', async () => {
    const shop = await openShopForTest({ databaseUrl: many.url });
    const taken: string[] = [];
    const subscriber: Subscriber = {
      name: 'rare',
      types: [RARE],
      startsAt: 'beginning',
      maxBatch: 10,
      delayMs: 0,
      deadlineMs: 10_000,
      retryDelaysMs: [],
      handle: async (events) => void taken.push(...events.map(({ id }) => id)),
    };
    await ensureSubscription(shop.db, { ...subscriber, cursor: LOG_START });
    const deps = {
      db: shop.db,
      notifications: shop.services.notifications,
      subscriberOf: () => Promise.resolve(subscriber),
      startDelivery: () => Promise.reject(new Error('no event may fail')),
      stopping: new AbortController().signal,
    };
    const batches: string[] = [];
    while (batches.at(-1) !== 'idle') {
      batches.push((await inActivity(() => pumpOnce(deps, 'rare'))).kind);
    }
    expect(new Set(taken).size).toBe(taken.length);
    expect(taken).toHaveLength(await countRare());
    expect(batches.length).toBeGreaterThan(5);
  });
});

test.each([-9, 0, 9])(
  'an order created %i minutes from the time of its id is found by the time of its creation',
  async (minutes) => {
    const [order] = await few.db.$queryRaw<{ id: OrderId; at: Date }[]>`
      UPDATE orders SET created_at = created_at + ${minutes} * interval '1 minute'
      WHERE id = (SELECT id FROM orders WHERE status = 'shipped' ORDER BY random() LIMIT 1)
      RETURNING id, created_at AS at`;
    if (!order) throw new Error('no such order');
    const near = (ms: number) => new Date(order.at.getTime() + ms).toISOString();
    const found = await Promise.all([
      idsOf(few.db, { createdAfter: near(-1) }),
      idsOf(few.db, { updatedBefore: near(3_600_000) }),
      listPaymentRecords(few.db, { from: near(0), to: near(1), after: null, limit: 10 }),
      listShipmentRecords(few.db, { from: near(0), to: near(1), after: null, limit: 10 }),
    ]);
    const [after, before, payments, shipments] = found;
    expect(after).toContain(order.id);
    expect(before).toContain(order.id);
    expect(payments.map(({ orderId }) => orderId)).toEqual([order.id]);
    expect(shipments.map(({ orderId }) => orderId)).toEqual([order.id]);
  },
);

/** The ids of every order that the list has with the filter. */
async function idsOf(db: Database, filter: OrderFilter): Promise<readonly OrderId[]> {
  const listed = await listOrders(db, filter, { limit: 2_000 });
  if (listed.kind !== 'listed') throw new Error(listed.kind);
  return listed.orders.map(({ id }) => id);
}

test('a read whose index was dropped is found to grow', async () => {
  for (const { db } of [few, many]) await db.$executeRaw`DROP INDEX orders_status_id_idx`;
  const growing = Object.keys(await findGrowing());
  expect(growing).toEqual(
    expect.arrayContaining(['sweep: stuck orders', 'gauges: orders needing attention']),
  );
});

const feedPage = z.object({
  data: z.array(z.unknown()),
  has_more: z.boolean(),
  next: z.string(),
});

const countRare = () => many.db.event.count({ where: { type: RARE } });

/** The reads that read more rows with more orders, each with its numbers of rows. */
async function findGrowing(): Promise<Record<string, readonly [number, number]>> {
  const [small, large] = [await countRows(few.url), await countRows(many.url)];
  const pairs = Object.entries(small).map(
    ([name, rows]) => [name, [rows, large[name] ?? 0]] as const,
  );
  // Pages have orders of one to three lines.
  return Object.fromEntries(pairs.filter(([, [least, most]]) => most > least * 1.2 + 20));
}

/** The rows of tables and entries of indexes that each read takes. One connection, which counts them. */
async function countRows(database: string): Promise<Record<string, number>> {
  const url = new URL(database);
  url.searchParams.set('options', PLANNER);
  const db = createDatabase({ url: url.href, poolSize: 1, timeoutFactor: TIMEOUT_FACTOR });
  const counts: Record<string, number> = {};
  for (const [name, read] of Object.entries({ ...(await lists(db)), ...backgroundReads(db) })) {
    const before = await countedRows(db);
    await read();
    counts[name] = (await countedRows(db)) - before;
  }
  await closeDatabase(db);
  return counts;
}

async function countedRows(db: Database): Promise<number> {
  // A session reports what it has counted once a second otherwise.
  await db.$executeRaw`SELECT pg_stat_force_next_flush()`;
  const [counted] = await db.$queryRaw<{ rows: number }[]>`
    SELECT ((SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_user_tables)
      + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes))::float8 AS rows`;
  return counted?.rows ?? 0;
}

/** What the API reads, with arguments from the middle of the orders. */
async function lists(db: Database): Promise<BackgroundReads> {
  const [waiting] = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT id FROM orders WHERE status = 'needs_attention' ORDER BY id LIMIT 1`;
  const [middle] = await db.$queryRaw<{ id: OrderId; email: string }[]>`
    SELECT id, customer_email AS email FROM orders
    WHERE status = 'shipped' AND created_at < now() - interval '14 days' ORDER BY id DESC LIMIT 1`;
  if (!middle || !waiting) throw new Error('no such order');
  const { id, email } = middle;
  const page = { limit: 20 };
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
  const createdAfter = new Date().toISOString();
  const registry = new Registry();
  registerEventMetrics(registry, { db, streams: {} });
  return {
    'metrics: every gauge': () => registry.metrics(),
    'orders: first page': () => listOrders(db, {}, page),
    'orders: in the middle': () => listOrders(db, {}, { ...page, startingAfter: id }),
    'orders: of a status': () => listOrders(db, { statuses: ['declined'] }, page),
    'orders: of a rare status': () => listOrders(db, { statuses: ['needs_attention'] }, page),
    'orders: of common and rare statuses': () =>
      listOrders(db, { statuses: ['placed', 'cancelled', 'needs_attention'] }, page),
    'orders: unchanged for two weeks': () => listOrders(db, { updatedBefore: daysAgo(14) }, page),
    'orders: being retried': () => listOrders(db, { isRetrying: true }, page),
    'orders: by the end of the id': () => listOrders(db, { search: id.slice(-9) }, page),
    'orders: by the beginning of the id': () => listOrders(db, { search: id.slice(0, -4) }, page),
    'orders: by the e-mail': () => listOrders(db, { search: email }, page),
    'orders: by a name of every order': () => listOrders(db, { search: 'customer' }, page),
    'orders: of an e-mail': () => listOrders(db, { email }, page),
    'orders: of an e-mail and status': () => listOrders(db, { email, statuses: ['expired'] }, page),
    'orders: since now': () => listOrders(db, { createdAfter }, page),
    'orders: of a status since now': () =>
      listOrders(db, { statuses: ['shipped'], createdAfter }, page),
    'order: itself': () => findOrder(db, id),
    'order: events': () => listOrderEvents(db, id, { limit: 500 }),
    'order: payment': () => findPayment(db, id),
    'order: shipment': () => findShipment(db, id),
    'order: refunds': () => listRefunds(db, id),
    'order: attention': () => findAttention(db, waiting.id),
    'order: retried steps': () => findRetriedSteps(db, waiting.id),
    'events: newest first': () => readLog(db, { after: null, newestFirst: true, limit: 20 }),
    'order: events in the log': () => readLog(db, { after: LOG_START, orderId: id, limit: 100 }),
    'person: export': () => exportOrders(db, { email, after: null, limit: 10 }),
    'person: export of the customer': () => exportCustomer(db, email),
    'person: under way': () => listUnderWay(db, { email, limit: 10 }),
    'person: erasable': () => listErasable(db, { email, limit: 10 }),
    'orders: of a product, for a bulk action': () =>
      selectOrders(db, { ...RECALLED, sku: 'sold-once' }, { action: 'refund', limit: 1_000 }),
    'events: rewind to a time': () => cursorBefore(db, daysAgo(14)),
    'events: of a time span': () =>
      listEventsBetween(db, { from: daysAgo(14), to: daysAgo(13), types: [], limit: 20 }),
    'dead letters: first page': () => listDeadLetters(db, {}, page),
    'dead letters: open': () => listDeadLetters(db, { status: 'open' }, page),
    'dead letters: of an order': () => listDeadLetters(db, { orderId: waiting.id }, page),
    'dead letters: groups': () => listGroups(db, 20),
    products: () => listProducts(db, page),
    'analytics: of a day': () =>
      listFigures(db, { from: daysAgo(14), to: daysAgo(13), by: 'hour', timeZone: 'UTC' }),
  };
}

interface SeededOrders {
  readonly db: Database;
  readonly url: string;
  close(): Promise<void>;
}

function useSeeded(orders: number): SeededOrders {
  return useOpened(async () => {
    const { url, close } = await createTestDatabase();
    await seedOrders(url, orders);
    const db = createDatabase({ url, poolSize: 2, timeoutFactor: TIMEOUT_FACTOR });
    return {
      db,
      url,
      async close() {
        await closeDatabase(db);
        await close();
      },
    };
  });
}
