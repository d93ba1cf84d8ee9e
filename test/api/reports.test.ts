import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isJobId, type JobId } from '../../domain/ids.ts';
import type { JobFile } from '../../domain/jobs.ts';
import type { ReportType } from '../../domain/reports.ts';
import { newId } from '../../prisma/client/ids.ts';
import { endJob } from '../../prisma/jobs/job-status.ts';
import { createScheduledJob, MAX_OPEN_JOBS } from '../../prisma/jobs/jobs.ts';
import { purgeJobs } from '../../prisma/operations/retention.ts';
import { runRecovery } from '../../services/recovery.ts';
import { readStream } from './event-stream.ts';
import { runJobOf } from '../support/job-runs.ts';
import { orderPlacedAt } from '../support/orders.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop({ streamLimits: { pollMs: 20 } });
beforeEach(async () => {
  await shop.db.jobChunk.deleteMany();
  await shop.db.job.deleteMany();
});

const PATH = '/v1/reports';
const JANUARY = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' };
const MINUTE_MS = 60_000;
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100 };

const jobSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  progress: z.looseObject({ done: z.number() }),
  files: z.array(z.object({ name: z.string(), url: z.string(), expires_at: z.string() })),
});

describe('a requested report', () => {
  test('a report is accepted with its place, is started in the background, and a repeat of the key is the same report', async () => {
    const first = await post({ type: 'refunds', ...JANUARY }, { key: 'one' });
    const text = await first.text();
    const { id } = jobSchema.parse(JSON.parse(text));
    expect([first.status, first.headers.get('location')]).toEqual([202, `${PATH}/${id}`]);
    expect(JSON.parse(text)).toMatchObject({
      object: 'report',
      type: 'refunds',
      status: 'queued',
      params: { ...JANUARY, time_zone: 'UTC' },
      progress: { total: null, done: 0, failed: 0, percent: null },
      files: [],
    });
    const again = await post({ type: 'refunds', ...JANUARY }, { key: 'one' });
    expect([again.status, await again.text()]).toEqual([202, text]);
    await shop.services.starts.drain();
    expect(shop.jobs.started).toMatchObject([{ id, type: 'refunds' }]);
    const actions = await shop.db.auditEntry.findMany({ where: { subject: id } });
    expect(actions.map(({ action }) => action)).toEqual(['report.requested']);
  });

  test('a report requested while Temporal is away is started when it is back', async () => {
    shop.checkouts.reachable = false;
    const { id } = await request('refunds');
    await shop.services.starts.drain();
    expect(shop.jobs.started).toEqual([]);
    shop.checkouts.reachable = true;
    await runRecovery(shop.services, NOW);
    await runRecovery(shop.services, NOW);
    expect(shop.jobs.started).toMatchObject([{ id }]);
  });

  test.each([
    ['a window that ends before it begins', { from: JANUARY.to, to: JANUARY.from }, '#/to'],
    ['a window that has not ended', { to: new Date().toISOString() }, '#/to'],
    ['a window of two years', { from: '2024-01-01T00:00:00Z' }, '#/to'],
    ['an unknown type', { type: 'profits' }, '#/type'],
    ['an unknown time zone', { time_zone: 'Europe/Atlantis' }, '#/time_zone'],
    ['no address', { notify_email: 'nobody' }, '#/notify_email'],
  ])('%s is refused with its place, and nothing is begun', async (_, wrong, pointer) => {
    const response = await post({ type: 'sales_by_day', ...JANUARY, ...wrong });
    const { status, errors } = await problemOf(response);
    expect([status, errors?.map((error) => error.pointer)]).toEqual([422, [pointer]]);
    expect(await shop.db.job.count()).toBe(0);
  });

  test('a storefront may not request a report, and a job beyond the limit of open ones is refused', async () => {
    const forbidden = await post({ type: 'refunds', ...JANUARY }, { role: 'storefront' });
    expect((await problemOf(forbidden)).code).toBe('forbidden');
    for (const _ of times(MAX_OPEN_JOBS, () => null)) await create('refunds');
    const refused = await post({ type: 'refunds', ...JANUARY });
    expect(await problemOf(refused)).toMatchObject({ status: 409, code: 'too_many_jobs' });
  });

  test('a nightly report is written although no operator may request another', async () => {
    for (const _ of times(MAX_OPEN_JOBS, () => null)) await create('refunds');
    expect((await post({ type: 'sales_by_day', ...JANUARY })).status).toBe(409);
    const id = await create('sales_by_day');
    expect(await shop.db.job.findUnique({ where: { id } })).toMatchObject({ status: 'queued' });
  });

  test('reports are listed newest first in pages, and a job of another kind or an unknown one is not found', async () => {
    const ids = [await create('refunds'), await create('refunds'), await create('refunds')];
    const first = await listOf(await read(`${PATH}?limit=2`));
    expect(first.data.map((each) => each['id'])).toEqual([ids[2], ids[1]]);
    expect(first.has_more).toBe(true);
    const rest = await listOf(await read(`${PATH}?limit=2&starting_after=${ids[1]}`));
    expect([rest.data.map((each) => each['id']), rest.has_more]).toEqual([[ids[0]], false]);
    for (const id of ['rep_nobody', newId('report'), newId('import')]) {
      expect((await problemOf(await read(`${PATH}/${id}`))).code).toBe('job_not_found');
    }
  });
});

describe('the course of a report', () => {
  test('the stream sends each change of a report, and its progress only grows', async () => {
    await movements(3);
    const id = await create('stock_movements', justNow());
    const response = await read(`${PATH}/${id}`, { accept: 'text/event-stream' });
    const stream = readStream(response);
    expect(await stream.take(1)).toMatchObject([{ event: 'progress', data: { status: 'queued' } }]);
    await runJobOf(shop.services, id);
    const seen = [];
    do seen.push(...(await stream.take(1)));
    while (seen.at(-1)?.data['status'] !== 'succeeded');
    const done = seen.map(({ data }) => jobSchema.parse(data).progress.done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(seen.at(-1)?.data).toMatchObject({ progress: { percent: 100 } });
    await stream.leave();
  });

  test('a queued report is cancelled at once, a running one after its batch, and a repeat changes nothing', async () => {
    const queued = await create('refunds');
    for (const _ of [1, 2]) {
      const cancelled = await post(null, { path: `${PATH}/${queued}/cancel` });
      expect(cancelled.status).toBe(202);
      expect(await cancelled.json()).toMatchObject({ status: 'cancelled' });
    }
    expect(await runJobOf(shop.services, queued)).toMatchObject({ kind: 'cancelled' });
    const running = await create('refunds');
    await shop.db.job.update({ where: { id: running }, data: { status: 'running' } });
    const asked = await post(null, { path: `${PATH}/${running}/cancel` });
    expect(await asked.json()).toMatchObject({ status: 'cancelling' });
    expect(await runJobOf(shop.services, running)).toMatchObject({ kind: 'cancelled' });
    await shop.services.starts.drain();
    expect(shop.jobs.cancelled).toContain(running);
  });

  test('a report that has succeeded is neither cancelled nor resumed; one that failed is resumed after its last batch', async () => {
    const id = await create('refunds');
    await runJobOf(shop.services, id);
    const cancel = await problemOf(await post(null, { path: `${PATH}/${id}/cancel` }));
    expect(cancel).toMatchObject({ status: 409, code: 'job_ended' });
    const resume = await problemOf(await post(null, { path: `${PATH}/${id}/resume` }));
    expect(resume).toMatchObject({ status: 409, code: 'job_not_resumable' });
    const failed = await create('refunds');
    const place = { done: 7, total: 9, cursor: 'rfd_7', startedAt: new Date() };
    await shop.db.job.update({ where: { id: failed }, data: place });
    await endJob(shop.db, failed, { status: 'failed', error: 'the database is away' });
    expect(await (await read(`${PATH}/${failed}`)).json()).toMatchObject({
      status: 'failed',
      error: 'the database is away',
    });
    const resumed = await post(null, { path: `${PATH}/${failed}/resume` });
    expect(await resumed.json()).toMatchObject({ status: 'queued', progress: { done: 7 } });
    await shop.services.starts.drain();
    expect(shop.jobs.started).toMatchObject([{ id: failed }]);
    expect(await shop.db.job.findUnique({ where: { id: failed } })).toMatchObject({
      cursor: 'rfd_7',
      error: null,
    });
  });

  test('a report that never began is not resumed after its cancel', async () => {
    const id = await create('refunds');
    await post(null, { path: `${PATH}/${id}/cancel` });
    const refused = await problemOf(await post(null, { path: `${PATH}/${id}/resume` }));
    expect(refused.detail).toContain('Request it again');
  });
});

describe('the files of a report', () => {
  test('the sales are those of the orders that were placed in the window and not cancelled, by the days of the time zone', async () => {
    const [sku, other] = [`b-${randomUUID()}`, `a-${randomUUID()}`];
    await shop.stock(sku, 100, { name: '=HYPERLINK("http://evil.example")', price_minor: 700 });
    await shop.stock(other, 100, { name: 'Plain, with a "quote"', price_minor: 50 });
    const placed = [
      // In Berlin the days begin an hour earlier than in UTC.
      await orderPlacedAt(shop.db, '2026-01-09T22:59:59.999Z', [{ sku, quantity: 1 }]),
      await orderPlacedAt(shop.db, '2026-01-09T23:00:00.000Z', [
        { sku, quantity: 2 },
        { sku: other, quantity: 3 },
      ]),
      await orderPlacedAt(shop.db, '2026-01-10T22:59:59.999Z', [{ sku, quantity: 4 }]),
      await orderPlacedAt(shop.db, '2026-01-10T12:00:00.000Z', [{ sku, quantity: 8 }]),
      await orderPlacedAt(shop.db, '2026-01-10T23:00:00.000Z', [{ sku, quantity: 16 }]),
    ];
    const cancelled = { status: 'cancelled', cancelReason: 'requested_by_operator' } as const;
    await shop.db.order.update({ where: { id: placed[3] ?? '' }, data: cancelled });
    const window = {
      from: '2026-01-09T23:00:00.000Z',
      to: '2026-01-10T23:00:00.000Z',
      time_zone: 'Europe/Berlin',
    };
    const files = await filesOfReport('sales_by_day', window);
    expect(await files.json()).toEqual([
      {
        day: '2026-01-10',
        sku: other,
        name: 'Plain, with a "quote"',
        currency: 'EUR',
        orders: 1,
        units: 3,
        revenue_minor: 150,
      },
      {
        day: '2026-01-10',
        sku,
        name: '=HYPERLINK("http://evil.example")',
        currency: 'EUR',
        orders: 2,
        units: 6,
        revenue_minor: 4_200,
      },
    ]);
    expect(await files.csv()).toBe(
      [
        'day,sku,name,currency,orders,units,revenue_minor',
        `2026-01-10,${other},"Plain, with a ""quote""",EUR,1,3,150`,
        `2026-01-10,${sku},"'=HYPERLINK(""http://evil.example"")",EUR,2,6,4200`,
        '',
      ].join('\r\n'),
    );
  });

  test('an order whose payment took long to be confirmed is sold on the day on which it was placed', async () => {
    const sku = `late-${randomUUID()}`;
    await shop.stock(sku, 100, { price_minor: 100 });
    for (const [created, placedAt, quantity] of [
      ['2026-03-01T23:46:00.000Z', '2026-03-02T00:01:00.000Z', 1],
      ['2026-02-20T12:00:00.000Z', '2026-03-02T12:00:00.000Z', 2],
      ['2026-03-01T23:55:00.000Z', '2026-03-02T00:04:00.000Z', 4],
      ['2026-03-02T12:00:00.000Z', '2026-03-02T12:00:01.000Z', 8],
      ['2026-02-20T12:00:00.000Z', '2026-03-01T23:59:59.999Z', 16],
      ['2026-03-02T12:00:00.000Z', '2026-03-04T12:00:00.000Z', 32],
    ] as const) {
      const id = await orderPlacedAt(shop.db, created, [{ sku, quantity }]);
      await shop.db.order.update({ where: { id }, data: { placedAt } });
    }
    const window = { from: '2026-03-02T00:00:00.000Z', to: '2026-03-03T00:00:00.000Z' };
    const files = await filesOfReport('sales_by_day', window);
    const sold = { day: '2026-03-02', sku, orders: 4, units: 15, revenue_minor: 1_500 };
    expect(await files.json()).toMatchObject([sold]);
  });

  test('the stock movements are a row each, a text that begins like a formula is quoted, and a number is not', async () => {
    await movements(2, '@SUM(1+1)');
    const files = await filesOfReport('stock_movements', justNow());
    const rows = z.array(z.looseObject({ delta: z.number() })).parse(await files.json());
    expect(rows.slice(-4).map(({ delta }) => delta)).toEqual([5, -5, 5, -5]);
    const lines = (await files.csv()).trimEnd().split('\r\n');
    expect(lines[0]).toBe('id,at,sku,delta,kind,reason,order_id,actor');
    expect(lines).toHaveLength(rows.length + 1);
    expect(lines.at(-1)).toContain(",-5,adjusted,'@SUM(1+1),,");
  });

  test('a report without a row is a file with its columns only', async () => {
    const files = await filesOfReport('reconciliation', { ...JANUARY, time_zone: 'UTC' });
    expect(await files.json()).toEqual([]);
    expect(await files.csv()).toBe(
      'id,kind,subject,order_id,ours,theirs,first_seen_at,last_seen_at,resolved_at\r\n',
    );
  });

  test('the address to notify of the end of a report, however it was written, is exported with the person, and erased', async () => {
    const email = `${randomUUID()}@xn--mnchen-3ya.example`;
    const written = ` ${email.toUpperCase().replace('XN--MNCHEN-3YA', 'MÜNCHEN')} `;
    const response = await post({ type: 'refunds', ...JANUARY, notify_email: written });
    const { id } = jobSchema.parse(await response.json());
    const about = { role: 'operator', body: { email } } as const;
    const exported = await shop.request('POST', '/v1/persons/export', about);
    expect(await exported.json()).toMatchObject({ jobs: [{ id, notify_email: email }] });
    expect((await shop.request('POST', '/v1/persons/erase', about)).status).toBe(200);
    expect(await shop.db.job.count({ where: { notifyEmail: email } })).toBe(0);
  });

  test('an ended report is deleted with its files after its period, one that runs is kept', async () => {
    const [ended, running] = [await create('stock_movements', justNow()), await create('refunds')];
    await runJobOf(shop.services, ended);
    const long = new Date(Date.now() - 31 * 24 * 60 * MINUTE_MS);
    await shop.db.job.update({ where: { id: ended }, data: { finishedAt: long } });
    await purgeJobs(shop.db, { days: 30, limit: 100 });
    expect((await shop.db.job.findMany()).map(({ id }) => id)).toEqual([running]);
    expect(await shop.db.jobChunk.count()).toBe(0);
  });
});

function post(
  body: object | null,
  options: { readonly path?: string; readonly key?: string; readonly role?: 'storefront' } = {},
) {
  const { path = PATH, key = randomUUID(), role = 'operator' } = options;
  return shop.request('POST', path, { role, key, ...(body !== null && { body }) });
}

function read(path: string, headers: Readonly<Record<string, string>> = {}) {
  return shop.request('GET', path, { role: 'operator', headers });
}

async function request(type: ReportType) {
  return jobSchema.parse(await (await post({ type, ...JANUARY })).json());
}

/** A report as a schedule asks for it, whose window may be of now. */
async function create(type: ReportType, params: object = JANUARY): Promise<JobId> {
  const id = newId('report');
  await createScheduledJob(shop.db, {
    id,
    kind: 'report',
    type,
    params: { time_zone: 'UTC', ...params },
  });
  return id;
}

/** Runs a report, and gives its files by their links. */
async function filesOfReport(type: ReportType, params: object) {
  const id = await create(type, params);
  expect(isJobId(id)).toBe(true);
  expect(await runJobOf(shop.services, id)).toMatchObject({ kind: 'succeeded' });
  const { files } = jobSchema.parse(await (await read(`${PATH}/${id}`)).json());
  const get = async (name: JobFile): Promise<Response> => {
    const url = files.find((each) => each.name === name)?.url ?? '';
    return shop.request('GET', url, { role: null });
  };
  return {
    csv: async () => (await get('output.csv')).text(),
    json: async (): Promise<unknown> => (await get('output.json')).json(),
  };
}

function justNow() {
  const now = Date.now();
  return { from: iso(now - 60 * MINUTE_MS), to: iso(now + MINUTE_MS), time_zone: 'UTC' };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Units that come and go again. */
async function movements(pairs: number, reason = 'counted'): Promise<void> {
  for (const _ of times(pairs, () => null)) {
    for (const delta of [5, -5]) {
      const body = { delta, reason };
      const key = randomUUID();
      const path = '/v1/products/mug-white/stock';
      const response = await shop.request('POST', path, { role: 'operator', key, body });
      expect(response.status, await response.clone().text()).toBe(200);
    }
  }
}
