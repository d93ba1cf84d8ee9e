import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { WEBHOOK_RETRY_DELAYS_MS } from '../../domain/delivery.ts';
import { newId } from '../../prisma/client/ids.ts';
import {
  reopenStale,
  resolveDeadLetter,
  type NewDeadLetter,
} from '../../prisma/events/dead-letters.ts';
import { groupsQuery } from '../../prisma/events/dead-letter-groups.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { placedOrder } from '../support/orders.ts';
import { useShop } from '../support/shop.ts';
import { deadLetterFixture } from './dead-letter-fixture.ts';
import { times } from '../support/times.ts';

const shop = useShop();
let orderId: OrderId;
beforeAll(async () => {
  orderId = await placedOrder(shop);
});
beforeEach(async () => {
  await shop.db.deadLetter.deleteMany({});
});

const post = (path: string, body?: object) =>
  shop.request('POST', path, { role: 'operator', body });
const get = (path: string) => shop.request('GET', path, { role: 'operator' });

const deadLetterBody = z.looseObject({
  id: z.string(),
  status: z.string(),
  fingerprint: z.string(),
});

const deadLetter = (given: Partial<NewDeadLetter> = {}) =>
  deadLetterFixture(shop.db, orderId, given);
const step = () => deadLetter({ source: 'checkout', subject: 'capturePayment', eventId: null });
const show = async (id: string) =>
  deadLetterBody.parse(await (await get(`/v1/dead-letters/${id}`)).json());

describe('GET /v1/dead-letters', () => {
  test('a dead letter shows its message, error, retry count, and failure times', async () => {
    const eventId = randomUUID();
    const id = await deadLetter({ eventId });
    expect(await show(id)).toEqual({
      object: 'dead_letter',
      id,
      source: 'delivery',
      subject: 'analytics',
      order_id: orderId,
      event_id: eventId,
      message: { type: 'order.placed' },
      error: 'HTTP 500',
      fingerprint: 'analytics: HTTP N',
      retry_count: 3,
      first_failed_at: '2026-11-01T10:00:00.000Z',
      last_failed_at: '2026-11-01T10:00:00.000Z',
      status: 'open',
      actor: null,
      note: null,
      decided_at: null,
      created_at: expect.any(String),
    });
    expect((await problemOf(await get('/v1/dead-letters/dl_x'))).code).toBe(
      'dead_letter_not_found',
    );
  });

  test('dead letters are listed newest first, page by page', async () => {
    const ids = [await deadLetter(), await deadLetter(), await deadLetter()].toReversed();
    const first = await listOf(await get('/v1/dead-letters?limit=2'));
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.has_more).toBe(true);
    const rest = await listOf(await get(`/v1/dead-letters?limit=2&starting_after=${ids[1]}`));
    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(rest.has_more).toBe(false);
  });

  test('dead letters are filtered by source, subject, fingerprint, order, and status', async () => {
    const failed = await deadLetter({ error: 'HTTP 410' });
    const waiting = await step();
    const other = await deadLetter({ subject: 'audit', error: 'no "thing" for ord_0123456789' });
    const found = async (query: string) =>
      (await listOf(await get(`/v1/dead-letters?${query}`))).data.map(({ id }) => id);
    expect(await found('source=checkout')).toEqual([waiting]);
    expect(await found('subject=audit')).toEqual([other]);
    const cause = encodeURIComponent((await show(other)).fingerprint);
    expect(await found(`fingerprint=${cause}`)).toEqual([other]);
    expect(await found(`order_id=${orderId}`)).toEqual([other, waiting, failed]);
    expect(await found('order_id=ord_other')).toEqual([]);
    await post(`/v1/dead-letters/${failed}/discard`, { note: 'gone' });
    expect(await found('status=discarded')).toEqual([failed]);
    expect((await get('/v1/dead-letters?status=lost')).status).toBe(422);
  });
});

describe('a redrive', () => {
  test('a redrive of a delivery starts it again with the same event id', async () => {
    const eventId = randomUUID();
    const id = await deadLetter({ eventId });
    const response = await post(`/v1/dead-letters/${id}/redrive`, { note: 'mended' });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({
      status: 'redriven',
      note: 'mended',
      actor: expect.any(String),
      decided_at: expect.any(String),
    });
    expect(shop.deliveries.deliveries).toEqual([
      {
        subscription: 'analytics',
        eventId,
        orderId,
        attempts: 0,
        delaysMs: [0, 5_000, 30_000],
        firstFailedAt: null,
        error: null,
      },
    ]);
  });

  test('a redrive of a webhook delivery restarts its whole retry schedule', async () => {
    const id = await deadLetter({ subject: 'webhook/we_1', eventId: randomUUID() });
    expect((await post(`/v1/dead-letters/${id}/redrive`)).status).toBe(202);
    const delaysMs = [0, ...WEBHOOK_RETRY_DELAYS_MS];
    expect(shop.deliveries.deliveries).toMatchObject([{ subscription: 'webhook/we_1', delaysMs }]);
  });

  test('a redrive of a notification starts it again without a request body', async () => {
    const id = await deadLetter({ source: 'notification', subject: 'shipped', eventId: null });
    expect((await post(`/v1/dead-letters/${id}/redrive`)).status).toBe(202);
    expect(shop.deliveries.notifications).toEqual([{ orderId, notification: 'shipped' }]);
  });

  test.each(['retry', 'skip', 'cancel'])(
    'a redrive with the action %s resumes the checkout step and keeps the note out of the workflow',
    async (action) => {
      const id = await step();
      const note = 'Ada called ada@example.com';
      await post(`/v1/dead-letters/${id}/redrive`, { action, note });
      const [resolved, ...more] = shop.checkouts.resolved;
      expect(more).toEqual([]);
      expect(resolved).toMatchObject({
        orderId,
        resolution: { step: 'capturePayment', decision: action, note: `dead letter ${id}` },
      });
      expect(JSON.stringify(resolved)).not.toContain('ada@');
      expect(await show(id)).toMatchObject({ status: 'redriven', note });
    },
  );

  test('a redrive is in the audit log with its actor and action, but without its note', async () => {
    const id = await step();
    await post(`/v1/dead-letters/${id}/redrive`, { action: 'skip', note: 'paid in cash' });
    const actions = await shop.db.auditEntry.findMany({ where: { subject: id } });
    expect(actions).toMatchObject([
      {
        actor: expect.stringMatching(/^operator\/./),
        action: 'dead_letter.redriven',
        data: { action: 'skip' },
      },
    ]);
    expect(JSON.stringify(actions, (_, value) => String(value))).not.toContain('cash');
  });

  test('ten concurrent redrives start one delivery, and nine of them return 409', async () => {
    const id = await deadLetter();
    const responses = await Promise.all(times(10, () => post(`/v1/dead-letters/${id}/redrive`)));
    const statuses = responses.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([202, ...times(9, () => 409)]);
    expect(shop.deliveries.deliveries).toHaveLength(1);
  });

  test('a redrive while Temporal is unavailable is refused with Retry-After, and the dead letter stays open', async () => {
    shop.checkouts.reachable = false;
    for (const id of [await deadLetter(), await step()]) {
      const response = await post(`/v1/dead-letters/${id}/redrive`);
      expect(response.headers.get('retry-after')).toBe('5');
      expect((await problemOf(response)).code).toBe('checkout_unavailable');
      expect(await show(id)).toMatchObject({ status: 'open' });
    }
    shop.checkouts.reachable = true;
    const [id] = (await listOf(await get('/v1/dead-letters'))).data.map((each) => each['id']);
    expect((await post(`/v1/dead-letters/${String(id)}/redrive`)).status).toBe(202);
  });

  test('a redrive of a step that is not waiting returns 409, and the dead letter stays open', async () => {
    const id = await step();
    shop.checkouts.waiting = false;
    const problem = await problemOf(await post(`/v1/dead-letters/${id}/redrive`));
    expect(problem).toMatchObject({ status: 409, code: 'step_not_waiting' });
    expect(await show(id)).toMatchObject({ status: 'open' });
  });

  test.each(['redriven', 'resolved', 'discarded'] as const)(
    'a redrive of a dead letter that is already %s is refused as dead_letter_not_open',
    async (status) => {
      const id = await deadLetter();
      await shop.db.deadLetter.update({ where: { id }, data: { status, actor: 'somebody' } });
      const problem = await problemOf(await post(`/v1/dead-letters/${id}/redrive`));
      expect(problem).toMatchObject({
        code: 'dead_letter_not_open',
        dead_letter_status: status,
        detail: `The dead letter was already ${status} by somebody.`,
      });
    },
  );

  test('a redrive with a wrong action or a skip without a note returns 422, and the dead letter stays open', async () => {
    const [waiting, failed] = [await step(), await deadLetter()];
    const bad = [
      post(`/v1/dead-letters/${waiting}/redrive`, { action: 'skip' }),
      post(`/v1/dead-letters/${failed}/redrive`, { action: 'skip', note: 'x' }),
      post(`/v1/dead-letters/${failed}/redrive`, { action: 'cancel' }),
      post(`/v1/dead-letters/${failed}/redrive`, { action: 'forget' }),
    ];
    for (const response of bad) expect((await problemOf(await response)).status).toBe(422);
    expect(await show(waiting)).toMatchObject({ status: 'open' });
    expect(await show(failed)).toMatchObject({ status: 'open' });
  });

  test('a redrive that succeeds resolves the dead letter, and one that fails reopens it with all retries counted', async () => {
    const [works, fails] = [randomUUID(), randomUUID()];
    const ids = [await deadLetter({ eventId: works }), await deadLetter({ eventId: fails })];
    for (const id of ids) await post(`/v1/dead-letters/${id}/redrive`);
    const thing = { source: 'delivery' as const, subject: 'analytics', orderId };
    await shop.db.$transaction((tx) => resolveDeadLetter(tx, { ...thing, eventId: works }));
    const again = { eventId: fails, lastFailedAt: '2026-11-01T11:00:00.000Z' };
    expect(await deadLetter(again)).toBe(ids[1]);
    expect(await show(ids[0] ?? '')).toMatchObject({ status: 'resolved' });
    expect(await show(ids[1] ?? '')).toMatchObject({ status: 'open', retry_count: 6 });
  });

  test('a dead letter whose redrive has no outcome is reopened after a while', async () => {
    const id = await deadLetter();
    await post(`/v1/dead-letters/${id}/redrive`);
    expect(await reopenStale(shop.db, { olderThanMs: 60_000, limit: 10 })).toBe(0);
    expect(await reopenStale(shop.db, { olderThanMs: 0, limit: 10 })).toBe(1);
    expect(await show(id)).toMatchObject({ status: 'open' });
  });
});

describe('a discard', () => {
  test('a discard needs a note, and a discarded dead letter can be neither discarded again nor redriven', async () => {
    const id = await deadLetter();
    const path = `/v1/dead-letters/${id}/discard`;
    expect((await post(path, {})).status).toBe(422);
    const response = await post(path, { note: 'the receiver is gone' });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: 'discarded',
      note: 'the receiver is gone',
      actor: expect.any(String),
    });
    expect((await problemOf(await post(path, { note: 'x' }))).code).toBe('dead_letter_not_open');
    const redrive = await problemOf(await post(`/v1/dead-letters/${id}/redrive`));
    expect(redrive.code).toBe('dead_letter_not_open');
    expect(shop.deliveries.deliveries).toEqual([]);
  });
});

const planStep = z.object({
  'Node Type': z.string(),
  'Plan Rows': z.number(),
  'Index Name': z.string().optional(),
});

/** The steps of a plan, as EXPLAIN nests them. */
function stepsOf(explained: unknown): readonly z.output<typeof planStep>[] {
  if (typeof explained !== 'object' || explained === null) return [];
  const { data: step } = planStep.safeParse(explained);
  const below = Object.values(explained).flatMap((each) => stepsOf(each));
  return step === undefined ? below : [step, ...below];
}

describe('groups', () => {
  const groups = async (query = '') => (await get(`/v1/dead-letters/groups${query}`)).json();

  test('open dead letters are grouped by cause, the largest group first, each with its newest ones', async () => {
    const failures: string[] = [];
    for (const status of [500, 502, 503, 504]) {
      const at = `2026-11-01T1${failures.length}:00:00.000Z`;
      const failedAt = { firstFailedAt: at, lastFailedAt: at };
      failures.push(await deadLetter({ error: `HTTP ${status}`, ...failedAt }));
    }
    const waiting = await step();
    const closed = await deadLetter({ error: 'HTTP 410' });
    await post(`/v1/dead-letters/${closed}/discard`, { note: 'gone' });
    const largest = {
      object: 'dead_letter_group',
      fingerprint: 'analytics: HTTP N',
      source: 'delivery',
      subject: 'analytics',
      error: 'HTTP 504',
      open: 4,
      first_failed_at: '2026-11-01T10:00:00.000Z',
      last_failed_at: '2026-11-01T13:00:00.000Z',
      samples: failures
        .toReversed()
        .slice(0, 3)
        .map((id) => ({ id, order_id: orderId })),
    };
    const smaller = { source: 'checkout', open: 1, samples: [{ id: waiting }] };
    expect(await groups()).toMatchObject({ data: [largest, smaller], has_more: false });
    expect(await groups('?limit=1')).toMatchObject({ data: [largest], has_more: true });
  });

  test('the groups of 5,000 open dead letters have their newest ones by an index, without a sort of their rows', async () => {
    await shop.db.$executeRaw`
      INSERT INTO dead_letters (id, source, subject, order_id, event_id, message, error, fingerprint,
        retry_count, first_failed_at, last_failed_at)
      SELECT 'dl_planted' || n, 'delivery', 'analytics', ${orderId}, gen_random_uuid(), '{}', 'HTTP 500',
        'analytics: cause ' || n % 40, 3, now(), now() FROM generate_series(1, 5000) AS n`;
    await shop.db.$executeRaw`ANALYZE dead_letters`;
    const steps = stepsOf(await shop.db.$queryRaw`EXPLAIN (FORMAT JSON) ${groupsQuery(51)}`);
    const sorted = steps.filter((each) => each['Node Type'].includes('Sort'));
    expect(sorted.length).toBeGreaterThan(0);
    // The groups, and not their rows.
    expect(Math.max(...sorted.map((each) => each['Plan Rows']))).toBeLessThanOrEqual(51);
    expect(steps.map((each) => each['Index Name'])).toContain('dead_letters_fingerprint');
    const found = await listOf(await get('/v1/dead-letters/groups'));
    expect(found.data).toHaveLength(40);
    expect(new Set(found.data.map(({ open }) => open))).toEqual(new Set([125]));
  });
});

describe('a bulk discard', () => {
  const fingerprint = 'analytics: HTTP N';
  const discard = (body: object) => post('/v1/dead-letters/discard', body);

  test('a bulk discard closes every open dead letter of its cause, each with note, actor and audit entry', async () => {
    const ids = [await deadLetter(), await deadLetter({ error: 'HTTP 502' })];
    const other = await deadLetter({ error: 'another cause' });
    const dry = { fingerprint, note: 'the receiver is gone', dry_run: true };
    const counts = { object: 'discard', fingerprint, matching: 2, discarded: 2, refused: 0 };
    expect(await (await discard(dry)).json()).toEqual({ ...counts, dry_run: true });
    for (const id of ids) expect(await show(id)).toMatchObject({ status: 'open' });
    const done = await discard({ ...dry, dry_run: false });
    expect(await done.json()).toEqual({ ...counts, dry_run: false });
    for (const id of ids) {
      expect(await show(id)).toMatchObject({
        status: 'discarded',
        note: dry.note,
        actor: expect.any(String),
        decided_at: expect.any(String),
      });
      const actions = await shop.db.auditEntry.findMany({ where: { subject: id } });
      const actor = expect.stringMatching(/^operator\/./);
      expect(actions).toMatchObject([{ actor, action: 'dead_letter.discarded', data: {} }]);
    }
    expect(await show(other)).toMatchObject({ status: 'open' });
    expect(await (await discard(dry)).json()).toMatchObject({ matching: 0, discarded: 0 });
  });

  test('a step or a refund that waits for a decision is discarded neither alone nor in bulk', async () => {
    const error = 'refused';
    const waiting = await deadLetter({ source: 'checkout', subject: 'x', eventId: null, error });
    const stale = await deadLetter({ source: 'checkout', subject: 'x, y', eventId: null, error });
    const refundId = newId('refund');
    const refund = await deadLetter({ source: 'refund', subject: refundId, eventId: null, error });
    await shop.db.order.update({
      where: { id: orderId },
      data: { status: 'needs_attention', attentionStep: 'a, x' },
    });
    await shop.db.$executeRaw`
      INSERT INTO refunds (id, order_id, key, cause, status, amount_minor, currency, reason)
      VALUES (${refundId}, ${orderId}, ${refundId}, 'requested', 'needs_attention', 1, 'EUR', 'x')`;
    for (const id of [waiting, refund]) {
      const problem = await problemOf(await post(`/v1/dead-letters/${id}/discard`, { note: 'x' }));
      expect(problem).toMatchObject({ status: 409, code: 'decision_required' });
      const { fingerprint: cause } = await show(id);
      const response = await discard({ fingerprint: cause, note: 'x' });
      expect(await response.json()).toMatchObject({ matching: 1, discarded: 0, refused: 1 });
      expect(await show(id)).toMatchObject({ status: 'open', actor: null });
    }
    expect((await post(`/v1/dead-letters/${stale}/discard`, { note: 'x' })).status).toBe(200);
  });

  test.each([
    { fingerprint },
    { note: 'x' },
    { fingerprint, note: '' },
    { fingerprint: '', note: 'x' },
  ])('a bulk discard with the body %j returns 422', async (body) => {
    expect((await discard(body)).status).toBe(422);
  });
});
