/** The reports: what each reads in one batch, and what it writes. */
import { z } from 'zod';
import { MAX_REPORT_ROWS, type ReportType } from '../../domain/reports.ts';
import type { Database } from '../../prisma/client/client.ts';
import { advanceJob, type Job } from '../../prisma/jobs/jobs.ts';
import {
  countDiscrepancies,
  countMovements,
  countRefunds,
  readDiscrepancies,
  readMovements,
  readRefunds,
  type Page,
  type PageQuery,
  type Window,
} from '../../prisma/jobs/report-rows.ts';
import {
  countOrders,
  isDayRead,
  namesOf,
  readSales,
  type Sales,
} from '../../prisma/jobs/sales-rows.ts';
import { jobFailed } from '../failures.ts';
import type { JobType } from './job-type.ts';

/** Some 50 ms of a database: a cancel and a heartbeat wait for one batch. */
const ORDERS_PER_BATCH = 2_000;
const ROWS_PER_BATCH = 1_000;

export const REPORTS: Readonly<Record<ReportType, JobType>> = {
  sales_by_day: {
    prepare: ({ db }, job) => countUpToLimit(db, job, countOrders),
    next: ({ db }, job) => salesBatch(db, job),
  },
  stock_movements: rowByRow(countMovements, readMovements),
  refunds: rowByRow(countRefunds, readRefunds),
  reconciliation: rowByRow(countDiscrepancies, readDiscrepancies),
};

const reportParams = z.object({ from: z.string(), to: z.string(), time_zone: z.string() });

type Count = (db: Database, window: Window, limit: number) => Promise<number>;

async function countUpToLimit(db: Database, job: Job, count: Count): Promise<number> {
  const total = await count(db, reportParams.parse(job.params), MAX_REPORT_ROWS + 1);
  if (total <= MAX_REPORT_ROWS) return total;
  const most = MAX_REPORT_ROWS.toLocaleString('en');
  throw jobFailed(`the window has more than ${most} rows: ask for a shorter one`);
}

/** A report whose rows are those of a table. */
function rowByRow(count: Count, read: (db: Database, query: PageQuery) => Promise<Page>): JobType {
  return {
    prepare: ({ db }, job) => countUpToLimit(db, job, count),
    async next({ db }, job) {
      const { from, to } = reportParams.parse(job.params);
      const after = z.string().parse(job.cursor ?? '');
      const page = await read(db, { from, to, after, limit: ROWS_PER_BATCH });
      if (page.last === null) return 'done';
      const step = { done: page.read, cursor: page.last, output: page.rows };
      await db.$transaction((tx) => advanceJob(tx, job, step));
      return page.read < ROWS_PER_BATCH ? 'done' : 'more';
    },
  };
}

/** Where the next batch begins, and the sums of the days that are not complete. */
const salesCursor = z.object({
  after: z.string(),
  sums: z.array(
    z.object({
      day: z.string(),
      sku: z.string(),
      currency: z.string(),
      orders: z.number(),
      units: z.number(),
      revenueMinor: z.number(),
    }),
  ),
  /** True: the rows of all days are written. */
  isDone: z.boolean(),
});

/**
 * Adds a page of orders to the sums, and writes the rows of the days that no later order belongs to. So
 * memory and cursor hold the products of some days, however long the window.
 */
async function salesBatch(db: Database, job: Job): Promise<'more' | 'done'> {
  const cursor = salesCursor.parse(job.cursor ?? { after: '', sums: [], isDone: false });
  if (cursor.isDone) return 'done';
  const { from, to, time_zone: timeZone } = reportParams.parse(job.params);
  const limit = ORDERS_PER_BATCH;
  const { read, last, sales } = await readSales(db, {
    from,
    to,
    timeZone,
    after: cursor.after,
    limit,
  });
  const isDone = last === null || read < limit;
  const sums = addSales(cursor.sums, sales);
  const complete = sums.filter(({ day }) => isDone || isDayRead(day, last));
  const output = await salesRows(db, complete);
  const open = sums.filter((each) => !complete.includes(each));
  const next = { after: last ?? cursor.after, sums: open, isDone };
  await db.$transaction((tx) => advanceJob(tx, job, { done: read, cursor: next, output }));
  return isDone ? 'done' : 'more';
}

/** Throws `jobFailed` when a sum is beyond the safe integer range. */
function addSales(sums: readonly Sales[], sales: readonly Sales[]): readonly Sales[] {
  const byKey = new Map(sums.map((sum) => [keyOf(sum), sum]));
  for (const each of sales) {
    const sum = byKey.get(keyOf(each));
    const revenueMinor = each.revenueMinor + (sum?.revenueMinor ?? 0);
    if (!Number.isSafeInteger(revenueMinor))
      throw jobFailed(`the sum of ${keyOf(each)} is too large`);
    byKey.set(keyOf(each), {
      ...each,
      orders: each.orders + (sum?.orders ?? 0),
      units: each.units + (sum?.units ?? 0),
      revenueMinor,
    });
  }
  return [...byKey.values()];
}

function keyOf({ day, sku, currency }: Sales): string {
  return `${day} ${sku} ${currency}`;
}

async function salesRows(db: Database, sales: readonly Sales[]): Promise<readonly object[]> {
  const names = await namesOf(
    db,
    sales.map(({ sku }) => sku),
  );
  return sales
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map(({ revenueMinor, day, sku, ...sum }) => ({
      day,
      sku,
      name: names.get(sku) ?? '',
      currency: sum.currency,
      orders: sum.orders,
      units: sum.units,
      revenue_minor: revenueMinor,
    }));
}
