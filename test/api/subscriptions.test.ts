import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { listFigures } from '../../prisma/events/analytics.ts';
import { LOG_START, readLog, type LogCursor } from '../../prisma/events/event-log.ts';
import { advanceCursor, ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { eventually } from '../support/eventually.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';

const HOOK = 'webhook/we_01k9zq3v5nfa3s4w1m6t2y8h7c';
const READ = { name: HOOK, types: ['order.placed'], cursor: LOG_START } as const;
const HOOK_PATH = `/v1/subscriptions/${encodeURIComponent(HOOK)}`;

const shop = useShop({ timeZone: 'Europe/Berlin' });
let now: LogCursor;
beforeAll(async () => {
  await shop.place();
  now = await eventually(async () => {
    const { events } = await readLog(shop.db, { after: LOG_START, limit: 10 });
    const [, placed] = events;
    if (!placed) throw new Error('not readable yet');
    return placed.cursor;
  });
});
beforeEach(async () => {
  await shop.db.subscription.deleteMany({});
  await add('analytics', LOG_START);
  await add('audit', now);
  await add(HOOK, LOG_START, ['order.placed']);
});

const add = (name: string, cursor: LogCursor, types: 'order.placed'[] = []) =>
  ensureSubscription(shop.db, { name, types, cursor });
const post = (path: string, body?: object) =>
  shop.request('POST', path, { role: 'operator', body });
const get = (path: string) => shop.request('GET', path, { role: 'operator' });
const show = async (path: string) => (await get(path)).json();

describe('GET /v1/subscriptions', () => {
  test('subscriptions are listed by name with their backlog and lag', async () => {
    const { data } = await listOf(await get('/v1/subscriptions'));
    expect(data).toMatchObject([
      { object: 'subscription', name: 'analytics', types: [], paused: false, behind: 2 },
      { name: 'audit', behind: 0, lag_seconds: 0 },
      { name: HOOK, types: ['order.placed'], behind: 1 },
    ]);
    expect(data[0]?.['lag_seconds']).toBeGreaterThan(0);
  });

  test('the subscription list continues after the given name', async () => {
    const first = await listOf(await get('/v1/subscriptions?limit=2'));
    expect(first).toMatchObject({ data: [{ name: 'analytics' }, { name: 'audit' }] });
    expect(first.has_more).toBe(true);
    const rest = await listOf(await get('/v1/subscriptions?limit=2&starting_after=audit'));
    expect(rest).toMatchObject({ data: [{ name: HOOK }], has_more: false });
  });

  test('a subscription with a slash in its name is returned, and an unknown one returns 404', async () => {
    expect(await show(HOOK_PATH)).toMatchObject({ name: HOOK, cursor: LOG_START });
    const none = await problemOf(await get('/v1/subscriptions/nobody'));
    expect(none).toMatchObject({ status: 404, code: 'subscription_not_found' });
  });
});

describe('a pause and a resume', () => {
  test('a pause stops the cursor of a subscription, a resume releases it, and the audit log has both', async () => {
    const paused = await post(`${HOOK_PATH}/pause`);
    expect(paused.status).toBe(200);
    expect(await paused.json()).toMatchObject({ name: HOOK, paused: true });
    expect(await advanceCursor(shop.db, READ, now)).toBe(false);
    const resumed = await post(`${HOOK_PATH}/resume`);
    expect(await resumed.json()).toMatchObject({ paused: false });
    expect(await advanceCursor(shop.db, READ, now)).toBe(true);
    expect(shop.deliveries.subscriptions).toEqual([HOOK]);
    const actions = await shop.db.auditEntry.findMany({ where: { subject: HOOK } });
    expect(actions).toMatchObject([
      { action: 'subscription.paused', actor: expect.stringMatching(/^operator\/./) },
      { action: 'subscription.resumed' },
    ]);
  });

  test('a paused subscription can be resumed while Temporal is unavailable', async () => {
    shop.checkouts.reachable = false;
    await post('/v1/subscriptions/audit/pause');
    expect((await post('/v1/subscriptions/audit/resume')).status).toBe(200);
    expect(await show('/v1/subscriptions/audit')).toMatchObject({ paused: false });
  });

  test.each(['pause', 'resume'])('a %s of an unknown subscription is refused', async (what) => {
    const none = await problemOf(await post(`/v1/subscriptions/nobody/${what}`));
    expect(none.code).toBe('subscription_not_found');
  });
});

describe('a rewind', () => {
  const longAgo = { to: '2020-01-01T00:00:00+02:00' };

  test('a rewind moves a subscription back to a time, so that later events are pending, and is in the audit log', async () => {
    const response = await post('/v1/subscriptions/audit/rewind', longAgo);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ name: 'audit', behind: 2 });
    const action = 'subscription.rewound';
    expect(await shop.db.auditEntry.findMany({ where: { action } })).toMatchObject([
      { subject: 'audit', data: { to: expect.stringMatching(/^\d+-\d+$/) } },
    ]);
  });

  test('a rewind to a later time returns 409 and leaves the cursor unchanged', async () => {
    const future = { to: '2999-01-01T00:00:00Z' };
    const problem = await problemOf(await post('/v1/subscriptions/analytics/rewind', future));
    expect(problem).toMatchObject({
      status: 409,
      code: 'rewind_ahead',
      errors: [{ pointer: '#/to' }],
    });
    expect(await show('/v1/subscriptions/analytics')).toMatchObject({ cursor: LOG_START });
  });

  test.each([{}, { to: 'yesterday' }, { to: '0000-01-01T00:00:00Z' }, { ...longAgo, from: 'x' }])(
    'a rewind with the body %j returns 422',
    async (body) => {
      expect((await post('/v1/subscriptions/audit/rewind', body)).status).toBe(422);
    },
  );

  test('a rewind of an unknown subscription returns 404', async () => {
    expect((await post('/v1/subscriptions/nobody/rewind', longAgo)).status).toBe(404);
  });
});

/** In March 2026: on the 29th Berlin's clocks go from 02:00 to 03:00. */
describe('GET /v1/analytics', () => {
  const ask = async (query: string) => show(`/v1/analytics?${query}`);
  const hour = (at: string) => new Date(`2026-03-${at}:00:00Z`);
  const sold = (orders: number) => ({
    orders,
    declined: 1,
    cancelled: 2,
    shipped: 3,
    revenueMinor: orders * 1_000,
    refundedMinor: 500,
  });
  const body = (span: readonly [string, string], currency: string, orders: number) => ({
    object: 'analytics',
    starts_at: hour(span[0]).toISOString(),
    ends_at: hour(span[1]).toISOString(),
    currency,
    orders,
    declined: 1,
    cancelled: 2,
    shipped: 3,
    revenue_minor: orders * 1_000,
    refunded_minor: 500,
  });
  beforeAll(async () => {
    const rows: readonly [string, string, number][] = [
      ['27T22', 'EUR', 1],
      ['27T22', 'USD', 2],
      ['27T23', 'EUR', 4],
      ['28T22', 'EUR', 8],
      ['28T23', 'EUR', 16],
      ['29T21', 'EUR', 32],
      ['29T22', 'EUR', 64],
    ];
    await shop.db.salesHour.createMany({
      data: rows.map(([at, currency, orders]) => ({ hour: hour(at), currency, ...sold(orders) })),
    });
  });

  test('figures are listed per hour and currency, from a time to another', async () => {
    const list = await ask('from=2026-03-27T22:00:00Z&to=2026-03-28T22:00:00Z');
    expect(list).toEqual({
      object: 'list',
      url: '/v1/analytics',
      has_more: false,
      time_zone: 'Europe/Berlin',
      as_of: expect.any(String),
      data: [
        body(['27T22', '27T23'], 'EUR', 1),
        body(['27T22', '27T23'], 'USD', 2),
        body(['27T23', '28T00'], 'EUR', 4),
      ],
    });
  });

  test('figures per day are the sums over the hours of a day of the shop, also of one with 23 hours', async () => {
    const { data } = await listOf(await get('/v1/analytics?by=day&from=2026-03-28&to=2026-03-30'));
    expect(data).toMatchObject([
      { starts_at: hour('27T23').toISOString(), ends_at: hour('28T23').toISOString(), orders: 12 },
      { starts_at: hour('28T23').toISOString(), ends_at: hour('29T22').toISOString(), orders: 48 },
    ]);
    expect(data[0]).toMatchObject({ refunded_minor: 1_000, revenue_minor: 12_000 });
  });

  test('figures per day are those of whole days, which begin in the time asked for', async () => {
    const from = 'from=2026-03-28T12:00:00Z';
    const { data } = await listOf(
      await get(`/v1/analytics?by=day&${from}&to=2026-03-29T12:00:00Z`),
    );
    expect(data).toMatchObject([{ starts_at: hour('28T23').toISOString(), orders: 48 }]);
  });

  test('the day that clocks are set back has 25 hours', async () => {
    const night = ['2026-10-24T21', '2026-10-24T22', '2026-10-25T22', '2026-10-25T23'];
    const data = night.map((at) => ({
      hour: new Date(`${at}:00:00Z`),
      currency: 'EUR',
      ...sold(1),
    }));
    await shop.db.salesHour.createMany({ data });
    const days = await listOf(await get('/v1/analytics?by=day&from=2026-10-25&to=2026-10-26'));
    expect(days.data).toMatchObject([
      { starts_at: '2026-10-24T22:00:00.000Z', ends_at: '2026-10-25T23:00:00.000Z', orders: 2 },
    ]);
  });

  test('a sum that a number cannot say exactly is refused in words, whatever the database holds', async () => {
    const most = { ...sold(1), currency: 'IDR', revenueMinor: 2n ** 63n - 1n, refundedMinor: 0n };
    const hours = ['05T01', '05T02'].map((at) => ({ ...most, hour: hour(at) }));
    await shop.db.salesHour.createMany({ data: hours });
    for (const by of ['hour', 'day']) {
      const span = `by=${by}&from=2026-03-05&to=2026-03-06`;
      const problem = await problemOf(await get(`/v1/analytics?${span}`));
      expect(problem).toMatchObject({ status: 422, errors: [{ parameter: 'by' }] });
    }
  });

  test('where an offset is no whole hour, an hour counts to the day in which it begins', async () => {
    const span = { from: '2026-03-28', to: '2026-03-29', by: 'day' } as const;
    // Midnight is at 18:30 UTC.
    const days = await listFigures(shop.db, { ...span, timeZone: 'Asia/Kolkata' });
    expect(days).toMatchObject([
      { startsAt: new Date('2026-03-27T18:30:00Z'), currency: 'EUR', orders: 5 },
      { startsAt: new Date('2026-03-27T18:30:00Z'), currency: 'USD', orders: 2 },
    ]);
  });

  test.each([
    // The clocks skip midnight.
    ['America/Santiago', '2026-09-06', ['06T03', '06T04', '07T02', '07T03']],
    // They show it twice.
    ['Atlantic/Azores', '2026-10-25', ['24T23', '25T00', '26T00', '26T01']],
  ])(
    'in %s the figures of the day %s have each of its hours, which two adjoining spans have once',
    async (timeZone, date, hours) => {
      const currency = timeZone.slice(-3).toUpperCase();
      const at = hours.map((text) => new Date(`${date.slice(0, 8)}${text}:00:00Z`));
      await shop.db.salesHour.createMany({
        data: at.map((each, index) => ({ hour: each, currency, ...sold(2 ** index) })),
      });
      const ordersOf = async (span: { from: string; to: string; by: 'hour' | 'day' }) =>
        (await listFigures(shop.db, { ...span, timeZone }))?.filter(
          (each) => each.currency === currency,
        );
      const next = new Date(Date.parse(date) + 86_400_000).toISOString().slice(0, 10);
      const day = await ordersOf({ from: date, to: next, by: 'day' });
      expect(day).toMatchObject([{ startsAt: at[1], endsAt: at[3], orders: 6 }]);
      const before = new Date(Date.parse(date) - 86_400_000).toISOString().slice(0, 10);
      for (const by of ['hour', 'day'] as const) {
        const spans = [
          await ordersOf({ from: before, to: date, by }),
          await ordersOf({ from: date, to: next, by }),
        ];
        const sums = spans.map((span) => span?.reduce((sum, { orders }) => sum + orders, 0));
        expect(sums, by).toEqual([1, 6]);
      }
    },
  );

  test('figures say until when they are counted: the time of the oldest event that is not', async () => {
    const [first] = (await readLog(shop.db, { after: LOG_START, limit: 1 })).events;
    const { as_of: behind } = counted.parse(await ask(''));
    expect(behind).toBe(first?.time);
    await shop.db.subscription.deleteMany({ where: { name: 'analytics' } });
    expect(await ask('')).toMatchObject({ as_of: null });
    await add('analytics', now);
    const { as_of: current } = counted.parse(await ask(''));
    expect(Date.parse(current)).toBeGreaterThan(Date.parse(behind));
  });

  test.each([
    ['from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z', 'to'],
    ['from=2026-03-02&to=2026-03-01', 'to'],
    ['from=2026-01-01&to=2026-02-02', 'from'],
    ['by=day&from=2025-01-01&to=2026-01-03', 'from'],
    ['from=2026-02-30', 'from'],
    ['from=yesterday', 'from'],
    ['by=week', 'by'],
  ])('figures of %s are refused, and the parameter is named', async (query, parameter) => {
    expect(await problemOf(await get(`/v1/analytics?${query}`))).toMatchObject({
      status: 422,
      errors: [{ parameter }],
    });
  });
});

const counted = z.object({ as_of: z.string() });

test('the metrics show the lag of each subscription and drop a deleted one', async () => {
  const before = await (await get('/metrics')).text();
  expect(before).toContain('holdfast_subscription_behind{subscription="analytics"} 2');
  expect(before).toContain('holdfast_subscription_lag_seconds{subscription="audit"} 0');
  expect(before).toContain('holdfast_subscription_paused{subscription="audit"} 0');
  expect(before).toContain('holdfast_dead_letters_open{source="delivery"} 0');
  expect(before).toContain('holdfast_event_streams{kind="feed"} 0');
  await shop.db.subscription.deleteMany({ where: { name: 'analytics' } });
  // What a scrape found is kept for a second.
  await eventually(async () => {
    expect(await (await get('/metrics')).text()).not.toContain('subscription="analytics"');
  });
});
