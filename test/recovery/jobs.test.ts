/** Imports and bulk actions whose worker dies: every row and item is done once. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createJobActivities } from '../../activities/jobs/jobs.ts';
import { createJobWork } from '../../api/jobs/job-work.ts';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import type { Written } from '../../prisma/client/commit-hook.ts';
import { concurrently } from '../concurrency/concurrent-shoppers.ts';
import { eventually } from '../support/eventually.ts';
import { acceptedJob, errorLines, upload, viewJob, type JobView } from '../support/jobs.ts';
import { placedOrder } from '../support/orders.ts';
import { times } from '../support/times.ts';
import { useOpened } from '../support/use-opened.ts';
import { useRunningShop } from '../support/use-shop.ts';

const ROWS = 10_000;
const BAD = 37;
const ORDERS = 100;
const ENDS_WITHIN = { timeoutMs: 120_000, everyMs: 100 };

/** Where attempts of a job die: at the commit of a batch, by its number, before or after it. */
const kills: { batch: number; moment: 'before' | 'after' }[] = [];
let batches = 0;
let killed = 0;

function killAtCommit({ writes }: Written, moment: 'before' | 'after'): void {
  if (!writes.includes('products.insert') || !writes.includes('jobs.update')) return;
  if (moment === 'before') batches += 1;
  const [next] = kills;
  if (next === undefined || next.batch !== batches || next.moment !== moment) return;
  kills.shift();
  killed += 1;
  throw new Error('killed');
}

const jobsDb: { db?: Database } = {};
const shop = useRunningShop({
  queues: ['checkouts', 'events', 'jobs'],
  // Parcels wait, so paid orders can be cancelled.
  callbackDelayMs: 3_600_000,
  adapt: () => ({ runJob: (input) => jobActivities().runJob(input) }),
});
/** The connections of the jobs' worker. */
useOpened(async () => {
  const db = createDatabase({ url: shop.databaseUrl, poolSize: 4, onCommit: killAtCommit });
  jobsDb.db = db;
  return { close: () => closeDatabase(db) };
});

function jobActivities() {
  const { db = shop.db } = jobsDb;
  const stopping = new AbortController().signal;
  return createJobActivities({ ...createJobWork(shop.services), db, stopping });
}

async function ended(id: JobView['id']): Promise<JobView> {
  return eventually(async () => {
    const job = await viewJob(shop, id);
    expect(job.status).toBe('succeeded');
    return job;
  }, ENDS_WITHIN);
}

test('an import of 10,000 rows killed before one commit and after another applies each good row once and names the 37 bad ones', async () => {
  kills.push({ batch: 10, moment: 'before' }, { batch: 25, moment: 'after' });
  const isBad = (n: number): boolean => n % 270 === 269;
  const rows = times(ROWS, (n) => `many-${n},Product ${n},,${isBad(n) ? 0 : 1_000 + n},EUR`);
  const text = `sku,name,description,price_minor,currency\n${rows.join('\n')}\n`;
  const { id } = await acceptedJob(await upload(shop, { type: 'products', text }));
  const job = await ended(id);
  expect(killed).toBe(2);
  expect(job.progress).toMatchObject({ total: ROWS, done: ROWS, failed: BAD });
  const expected = rows.flatMap((row, n) => (isBad(n) ? [`${n + 2},price_minor`] : []));
  const lines = await errorLines(shop, job);
  expect(lines.map((line) => line.split(',').slice(0, 2).join(','))).toEqual(expected);
  const of = { startsWith: 'many-' };
  expect(await shop.db.product.count({ where: { sku: of, version: 1 } })).toBe(ROWS - BAD);
  expect(await shop.db.stock.count({ where: { sku: of } })).toBe(ROWS - BAD);
  const audited = { cause: id, action: 'product.created' };
  expect(await shop.db.auditEntry.count({ where: audited })).toBe(ROWS - BAD);
});

test('a bulk cancel of 100 orders cancels each one, and names the order that has shipped', async () => {
  await shop.stock('bulk', ORDERS + 1);
  const lines = [{ sku: 'bulk', quantity: 1 }];
  const ids = await concurrently(ORDERS + 1, () => placedOrder(shop, { lines }));
  const status = ['placed', 'reserved', 'paid', 'shipped'];
  const body = {
    action: 'cancel',
    filter: { status, sku: 'bulk' },
    note: 'not made any more',
    rate_per_second: 50,
  };
  const count = (status: 'paid' | 'shipped' | 'cancelled', ...which: readonly string[]) =>
    shop.db.order.count({ where: { id: { in: [...which] }, status } });
  const [shipped] = ids;
  if (shipped === undefined) throw new Error('no order');
  await eventually(async () => expect(await count('paid', shipped)).toBe(1), ENDS_WITHIN);
  await shop.services.checkouts.shipmentAnswered(shipped, {
    correlationId: shipmentCorrelationId(shipped),
    answer: { kind: 'shipped', carrier: 'Post', trackingNumber: 'P-1' },
  });
  await eventually(async () => expect(await count('shipped', shipped)).toBe(1), ENDS_WITHIN);
  const options = { role: 'operator', key: randomUUID(), body } as const;
  const { id } = await acceptedJob(await shop.request('POST', '/v1/bulk', options));
  const job = await ended(id);
  expect(await errorLines(shop, job)).toEqual([
    `${shipped},The order was not cancelled: it has been shipped.`,
  ]);
  expect(job.progress).toMatchObject({ total: ORDERS + 1, done: ORDERS + 1, failed: 1 });
  await eventually(async () => expect(await count('cancelled', ...ids)).toBe(ORDERS), ENDS_WITHIN);
});
