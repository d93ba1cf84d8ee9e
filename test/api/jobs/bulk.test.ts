/** Bulk actions: what they choose, how each item is done once, and who must approve them. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createApp } from '../../../api/app.ts';
import { createJobWork } from '../../../api/jobs/job-work.ts';
import { closeDatabase, createDatabase } from '../../../prisma/client/client.ts';
import { attemptJob, runJobOf } from '../../support/job-runs.ts';
import { acceptedJob, errorLines, viewJob } from '../../support/jobs.ts';
import { paidOrder, placedOrder } from '../../support/orders.ts';
import { problemOf } from '../../support/responses.ts';
import { useShop, type RequestOptions } from '../../support/shop.ts';
import { times } from '../../support/times.ts';
import { deadLetterFixture } from '../dead-letter-fixture.ts';

const shop = useShop();
const NOTE = 'recall of the glaze';

const bulk = (body: object, options: RequestOptions = {}) =>
  shop.request('POST', '/v1/bulk', {
    role: 'operator',
    key: randomUUID(),
    body: { note: NOTE, rate_per_second: 50, ...body },
    ...options,
  });
const refundOf = (sku: string) => ({
  action: 'refund',
  filter: { status: ['paid', 'shipped'], sku },
});
const cart = (sku: string, quantity = 1) => ({ lines: [{ sku, quantity }] });

async function paidOrdersOf(sku: string, count: number) {
  await shop.stock(sku, 100);
  const ids: string[] = [];
  for (const _ of times(count, String)) ids.push(await paidOrder(shop, cart(sku)));
  return ids;
}

test('a dry run says how many orders match, the money of each currency and the first ids, and does nothing', async () => {
  const ids = await paidOrdersOf('dry', 2);
  await placedOrder(shop, cart('dry'));
  const since = { created_after: '2026-01-01T00:00:00Z', created_before: '9999-01-01T00:00:00Z' };
  const { action, filter } = refundOf('dry');
  const response = await bulk({ action, filter: { ...filter, ...since }, dry_run: true });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    object: 'bulk_preview',
    action: 'refund',
    matching: 2,
    amounts: [{ currency: 'EUR', amount_minor: 2_000 }],
    samples: ids,
  });
  const ended = { ...filter, created_before: '2026-01-01T00:00:00Z' };
  const none = await bulk({ action, filter: ended, dry_run: true });
  expect(await none.json()).toMatchObject({ matching: 0, amounts: [] });
  expect(await shop.db.refund.count()).toBe(0);
});

test('a bulk refund killed before its progress is written refunds each order once, and names the refused one', async () => {
  const ids = await paidOrdersOf('once', 3);
  const [first = ''] = ids;
  const { id } = await acceptedJob(await bulk(refundOf('once')));
  const single = { role: 'operator', key: 'single', body: { reason: 'arrived broken' } } as const;
  await shop.request('POST', `/v1/orders/${first}/refunds`, single);
  const killed = createDatabase({
    url: shop.databaseUrl,
    poolSize: 2,
    onCommit({ writes }, moment) {
      if (moment === 'before' && writes.includes('jobs.update') && writes.length > 1)
        throw new Error('killed');
    },
  });
  const worker = { ...createJobWork(shop.services), db: killed };
  expect((await attemptJob(worker, id)).outcome).toBeNull();
  await closeDatabase(killed);
  expect(await viewJob(shop, id)).toMatchObject({ status: 'running', progress: { done: 0 } });

  await runJobOf(shop.services, id);
  const job = await viewJob(shop, id);
  expect(job).toMatchObject({ status: 'succeeded', progress: { total: 3, done: 3, failed: 1 } });
  expect(await errorLines(shop, job)).toEqual([`${first},At most €0.00 can still be refunded.`]);
  const refunds = await shop.db.refund.findMany({ where: { orderId: { in: ids } } });
  expect(refunds.map(({ orderId }) => orderId).toSorted()).toEqual(ids.toSorted());
  expect(refunds.filter(({ reason }) => reason === NOTE)).toHaveLength(2);
});

test('a bulk redrive waits while Temporal is unavailable, and then redrives each dead letter of its filter once', async () => {
  const orderId = await placedOrder(shop);
  for (const n of [1, 2, 3]) await deadLetterFixture(shop.db, orderId, { error: `HTTP ${n}` });
  await deadLetterFixture(shop.db, orderId, { error: 'another cause' });
  const broken = await deadLetterFixture(shop.db, orderId, { eventId: null, error: 'HTTP 500' });
  const filter = { fingerprint: 'analytics: HTTP N', source: 'delivery' };
  const { id } = await acceptedJob(await bulk({ action: 'redrive', filter }));
  shop.checkouts.reachable = false;
  const worker = { ...createJobWork(shop.services), db: shop.db };
  expect((await attemptJob(worker, id)).outcome).toBeNull();
  expect(await viewJob(shop, id)).toMatchObject({ progress: { done: 0, failed: 0 } });

  shop.checkouts.reachable = true;
  await runJobOf(shop.services, id);
  const job = await viewJob(shop, id);
  expect(job).toMatchObject({ status: 'succeeded', progress: { done: 4, failed: 1 } });
  expect(await errorLines(shop, job)).toEqual([`${broken},An internal error; see the log.`]);
  expect(shop.deliveries.deliveries).toHaveLength(3);
  const redriven = { cause: id, action: 'dead_letter.redriven' };
  expect(await shop.db.auditEntry.count({ where: redriven })).toBeGreaterThanOrEqual(3);
});

test('a repeat of an accepted bulk action is its stored response, also when by now too many items match', async () => {
  const orderId = await placedOrder(shop);
  await deadLetterFixture(shop.db, orderId, { error: 'HTTP 500', subject: 'many' });
  const options = { key: 'repeated' };
  const body = { action: 'redrive', filter: { fingerprint: 'many: HTTP N' } };
  const first = await bulk(body, options);
  await shop.db.$executeRaw`
    INSERT INTO dead_letters (id, source, subject, event_id, message, error, fingerprint, retry_count,
      first_failed_at, last_failed_at)
    SELECT id || n, source, subject, gen_random_uuid(), message, error, fingerprint, retry_count,
      first_failed_at, last_failed_at
    FROM dead_letters, generate_series(1, 10000) n WHERE subject = 'many'`;
  const again = await bulk(body, options);
  expect([again.status, await again.text()]).toEqual([202, await first.text()]);
  expect(await problemOf(await bulk(body))).toMatchObject({ errors: [{ pointer: '#/filter' }] });
  await shop.db.deadLetter.deleteMany({ where: { subject: 'many' } });
});

test('a bulk action that must be approved begins after another API key approved it, and the audit log has both', async () => {
  const app = createApp({ ...shop.services, bulkApproval: true });
  const call = (path: string, role: 'operator' | 'admin', body?: object) =>
    app.request(path, {
      method: 'POST',
      headers: {
        authorization: `Bearer hf_local_${role}`,
        'idempotency-key': 'approval',
        'content-type': 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  const [orderId = ''] = await paidOrdersOf('eyes', 1);
  const job = await acceptedJob(
    await call('/v1/bulk', 'operator', { ...refundOf('eyes'), note: NOTE }),
  );
  expect(job).toMatchObject({
    status: 'awaiting_approval',
    params: { note: NOTE, amounts: [{ currency: 'EUR', amount_minor: 1_000 }] },
  });
  expect(await runJobOf(shop.services, job.id)).toMatchObject({ kind: 'not_due' });
  const own = await problemOf(await call(`/v1/bulk/${job.id}/approve`, 'operator'));
  expect([own.status, own.detail]).toEqual([
    403,
    'Another API key than the one that requested the action must approve it.',
  ]);
  expect(await shop.db.refund.count({ where: { orderId } })).toBe(0);
  expect(shop.jobs.started).toEqual([]);

  const approved = await acceptedJob(await call(`/v1/bulk/${job.id}/approve`, 'admin'));
  expect(approved).toMatchObject({ status: 'queued', approved_by: 'operator/key_local_admin' });
  const again = await problemOf(await call(`/v1/bulk/${job.id}/approve`, 'admin'));
  expect(again.code).toBe('job_not_awaiting_approval');
  await shop.services.starts.drain();
  expect(shop.jobs.started).toMatchObject([{ id: job.id }]);
  await runJobOf(shop.services, job.id);
  expect(await shop.db.refund.count({ where: { orderId } })).toBe(1);
  const audited = await shop.db.auditEntry.findMany({ where: { subject: job.id } });
  expect(audited.map(({ actor, action }) => `${actor} ${action}`)).toEqual([
    'operator/key_local_operator bulk.requested',
    'operator/key_local_admin bulk.approved',
  ]);
});

test.each([
  [{ action: 'ship', filter: {} }, '#/action'],
  [{ action: 'cancel', filter: {} }, '#/filter/status'],
  [{ action: 'cancel', filter: { status: [] } }, '#/filter/status'],
  [{ action: 'redrive', filter: {} }, '#/filter'],
  [{ action: 'redrive', filter: { status: ['paid'] } }, '#/filter/status'],
  [{ ...refundOf('a'), rate_per_second: 51 }, '#/rate_per_second'],
  [{ ...refundOf('a'), note: '' }, '#/note'],
])('a bulk action of %j is refused at %s, and nothing begins', async (body, pointer) => {
  const jobs = await shop.db.job.count();
  const problem = await problemOf(await bulk(body));
  expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  expect(await shop.db.job.count()).toBe(jobs);
});
