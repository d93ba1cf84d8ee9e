/**
 * A report of all orders, whose attempts die at a commit of theirs: in turns before it, so that the batch
 * is lost, and after it, so that no process knows of it.
 */
import { z } from 'zod';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { newId } from '../../prisma/client/ids.ts';
import { createScheduledJob, readChunks } from '../../prisma/jobs/jobs.ts';
import { TIMEOUT_FACTOR } from '../support/database.ts';
import { attemptJob } from '../support/job-runs.ts';

const TIME_ZONE = 'Europe/Berlin';
const DAY_MS = 86_400_000;
/** Reports need nothing of what other jobs do. */
const unused = (): never => {
  throw new Error('a report checks no rows and does no items');
};
const WORK = {
  rowRules: { products: unused, stock: unused },
  bulkItems: { cancel: unused, refund: unused, redrive: unused },
};

const progress = z.object({ done: z.number() });

export async function runKilledReport(url: string) {
  const killer = createKiller();
  const db = createDatabase({
    url,
    poolSize: 2,
    timeoutFactor: TIMEOUT_FACTOR,
    onCommit: killer.watch,
  });
  try {
    const to = new Date();
    const from = new Date(to.getTime() - 40 * DAY_MS);
    const window = { from: from.toISOString(), to: to.toISOString() };
    const id = newId('report');
    const params = { ...window, time_zone: TIME_ZONE };
    await createScheduledJob(db, { id, kind: 'report', type: 'sales_by_day', params });
    const heartbeats: z.infer<typeof progress>[] = [];
    let deaths = 0;
    for (;;) {
      killer.arm(deaths % 2 === 0 ? 'before' : 'after');
      const { outcome, heartbeats: reported } = await attemptJob(
        { db, ...WORK },
        id,
        heartbeats.at(-1),
      );
      heartbeats.push(...reported.map((each) => progress.parse(each)));
      if (outcome?.kind === 'succeeded') break;
      if (outcome !== null) throw new Error(`the report is ${outcome.kind}`);
      deaths += 1;
      if (deaths > 50) throw new Error('the report does not advance');
    }
    killer.arm(null);
    const rows: unknown[] = [];
    for await (const { body } of readChunks(db, id, { stream: 'output' })) {
      rows.push(...body.split('\n').map((line): unknown => JSON.parse(line)));
    }
    return { deaths, heartbeats, rows, expected: await expectedRows(db, window) };
  } finally {
    await closeDatabase(db);
  }
}

type Moment = 'before' | 'after';

/** Throws at the first batch that an armed attempt commits. */
function createKiller() {
  let armed: Moment | null = null;
  let batches = 0;
  return {
    arm(moment: Moment | null) {
      armed = moment;
      batches = -1;
    },
    watch({ writes }: { readonly writes: readonly string[] }, moment: Moment) {
      if (moment !== armed || !writes.includes('jobs.update')) return;
      // What begins the job is no batch.
      batches += 1;
      if (batches === 0) return;
      armed = null;
      throw new Error('killed');
    },
  };
}

/** The whole report by one query. */
async function expectedRows(
  db: Database,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<readonly unknown[]> {
  const rows = await db.$queryRaw<{ row: unknown }[]>`
    SELECT to_jsonb(sales) AS row FROM (
      SELECT to_char(o.placed_at AT TIME ZONE ${TIME_ZONE}, 'YYYY-MM-DD') AS day, l.sku, p.name,
        o.currency, count(*) AS orders, sum(l.quantity) AS units,
        sum(l.quantity * l.unit_price_minor) AS revenue_minor
      FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.sku = l.sku
      WHERE o.placed_at >= ${from}::timestamptz AND o.placed_at < ${to}::timestamptz
        AND o.status NOT IN ('cancelling', 'cancelled')
      GROUP BY 1, 2, 3, 4) sales
    ORDER BY day, sku COLLATE "C", currency COLLATE "C"`;
  return rows.map(({ row }) => row);
}
