import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { feedSource, type LogTail } from '../../api/events/event-feed.ts';
import { cursorNow } from '../../prisma/events/event-log.ts';
import { eventually } from '../support/eventually.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { readStream, type StreamClient } from './event-stream.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop({ streamLimits: { maxStreams: 3, heartbeatMs: 100, pollMs: 200 } });
const streams: StreamClient[] = [];
afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.leave();
  await eventually(() => {
    if (openStreams() > 0) throw new Error(`${openStreams()} streams are left open`);
  });
});

const openStreams = () => shop.services.feedStreams.count() + shop.services.timelineStreams.count();

const page = z.looseObject({
  object: z.literal('list'),
  data: z.array(
    z.looseObject({ id: z.string(), type: z.string(), subject: z.string(), cursor: z.string() }),
  ),
  has_more: z.boolean(),
  next: z.string(),
});

async function list(query: string): Promise<z.infer<typeof page>> {
  return page.parse(await (await get(`/v1/events${query}`)).json());
}

const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  shop.request('GET', path, { role: 'operator', headers });

async function stream(path: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await get(path, { accept: 'text/event-stream', ...headers });
  const client = readStream(response);
  streams.push(client);
  return client;
}

const place = async (): Promise<string> => (await orderOf(await shop.place())).id;

/** What is in the log after a place, once it is that many. */
const listed = (after: string, count: number) =>
  eventually(async () => {
    const { data } = await list(`?after=${after}`);
    expect(data).toHaveLength(count);
    return data;
  });

/** The same once both events of an order are in it: whatever else runs on the server may hold it. */
const listedWith = (after: string, orderId: string) =>
  eventually(async () => {
    const { data } = await list(`?after=${after}`);
    expect(data.filter(({ subject }) => subject === orderId)).toHaveLength(2);
    return data;
  });

describe('GET /v1/events', () => {
  test('GET /v1/events lists CloudEvents 1.0, oldest first, from the start of the log by default', async () => {
    const start = await cursorNow(shop.db);
    const id = await place();
    const [created, placed] = await listed(start, 2);
    expect(created).toMatchObject({ type: 'order.created', subject: id });
    expect(placed).toMatchObject({
      specversion: '1.0',
      source: '/v1/orders',
      type: 'order.placed',
      subject: id,
      datacontenttype: 'application/json',
      sequence: '0000000002',
      correlationid: expect.any(String),
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      data: expect.any(Object),
    });
    const { data } = await list('?limit=500');
    expect(data.map((event) => event.id)).toContain(placed?.id);
  });

  test('GET /v1/events returns each event once, page by page, and then an empty page with the same cursor', async () => {
    const start = await cursorNow(shop.db);
    await Promise.all([place(), place(), place()]);
    await listed(start, 6);
    const seen: string[] = [];
    let at = await list(`?after=${start}&limit=4`);
    expect(at.has_more).toBe(true);
    seen.push(...at.data.map(({ id }) => id));
    at = await list(`?after=${at.next}&limit=4`);
    expect(at.has_more).toBe(false);
    seen.push(...at.data.map(({ id }) => id));
    expect(new Set(seen).size).toBe(6);
    const end = await list(`?after=${at.next}`);
    expect(end).toMatchObject({ data: [], has_more: false, next: at.next });
  });

  test('GET /v1/events accepts an event id as its cursor and returns only the requested types', async () => {
    const start = await cursorNow(shop.db);
    await place();
    const [created, placed] = await listed(start, 2);
    expect(await listed(created?.id ?? '', 1)).toEqual([placed]);
    const { data } = await list('?types=order.created,order.declined&limit=500');
    expect(new Set(data.map(({ type }) => type))).toEqual(new Set(['order.created']));
  });

  test('GET /v1/events with order=newest_first pages back through the log to its start, each event once', async () => {
    const start = await cursorNow(shop.db);
    await Promise.all([place(), place(), place()]);
    const forward = await listed(start, 6);
    let at = await list('?order=newest_first&limit=4');
    expect(at.data).toEqual(forward.toReversed().slice(0, 4));
    expect(at.has_more).toBe(true);
    at = await list(`?order=newest_first&limit=2&after=${at.next}`);
    expect(at.data).toEqual(forward.slice(0, 2).toReversed());
    const { data } = await list('?order=newest_first&types=order.placed&limit=3');
    expect(data).toEqual(forward.filter(({ type }) => type === 'order.placed').toReversed());
    const before = await list(`?order=newest_first&after=${(await list('?limit=1')).next}`);
    expect(before).toMatchObject({ data: [], has_more: false });
  });

  test('GET /v1/events as a stream refuses order=newest_first', async () => {
    const headers = { accept: 'text/event-stream' };
    const response = await get('/v1/events?order=newest_first', headers);
    const problem = await problemOf(response);
    expect(problem.errors).toMatchObject([{ parameter: 'order' }]);
  });

  test.each([
    ['?after=nowhere', 'after'],
    ['?order=random', 'order'],
    ['?after=1-x', 'after'],
    ['?types=order.lost', 'types'],
    ['?limit=0', 'limit'],
    ['?limit=501', 'limit'],
  ])('GET /v1/events%s returns 422 and names the parameter', async (query, parameter) => {
    const problem = await problemOf(await get(`/v1/events${query}`));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(problem.errors?.[0]?.['parameter']).toContain(parameter);
  });
});

describe('GET /v1/events as a stream', () => {
  test('an event stream without a cursor begins now and sends each new event', async () => {
    const start = await cursorNow(shop.db);
    await listedWith(start, await place());
    const feed = await stream('/v1/events');
    const id = await place();
    const frames = await feed.take(2);
    expect(frames.map(({ event }) => event)).toEqual(['order.created', 'order.placed']);
    for (const { id: cursor, event, data } of frames) {
      expect(data).toMatchObject({ specversion: '1.0', subject: id, type: event, cursor });
    }
  });

  test('an event stream resumes after Last-Event-ID without losing or repeating an event', async () => {
    const first = await stream('/v1/events');
    await place();
    const [created] = await first.take(2);
    await first.leave();
    await Promise.all([place(), place()]);
    const again = await stream('/v1/events?after=0-0', { 'last-event-id': created?.id ?? '' });
    const resumed = await again.take(5);
    const all = await listed(created?.id ?? '', 5);
    expect(resumed.map(({ data }) => data.id)).toEqual(all.map(({ id }) => id));
  });

  test('an event stream that ended before its first event resumes without losing an event', async () => {
    const first = await stream('/v1/events');
    const begun = await first.place();
    await first.leave();
    const all = await listedWith(begun, await place());
    const again = await stream('/v1/events', { 'last-event-id': begun });
    const frames = await again.take(all.length);
    expect(frames.map(({ data }) => data.id)).toEqual(all.map(({ id }) => id));
  });

  test('an event stream advances its cursor past events that its type filter excludes', async () => {
    const feed = await stream('/v1/events?types=order.delivered');
    const begun = await feed.place();
    await listedWith(begun, await place());
    const nothing = feed.take(1);
    nothing.catch(() => undefined);
    const reached = await eventually(async () => {
      const place = await feed.place();
      expect((await list(`?after=${place}`)).data).toEqual([]);
      return place;
    });
    const again = await stream('/v1/events', { 'last-event-id': reached });
    const id = await place();
    const [created] = await again.take(2);
    expect(created).toMatchObject({ event: 'order.created', data: { subject: id } });
  });

  test('an event stream starts after the cursor of ?after= and sends only the requested types', async () => {
    const start = await cursorNow(shop.db);
    const id = await place();
    const feed = await stream(`/v1/events?after=${start}&types=order.placed`);
    const [placed] = await feed.take(1);
    expect(placed).toMatchObject({ event: 'order.placed', data: { subject: id } });
  });

  test('an event stream does not skip an event that a shared read began too early to see', async () => {
    const start = await cursorNow(shop.db);
    // Whatever read is shared began before the event.
    const log: LogTail = async ({ after }) => ({ events: [], next: after ?? start });
    const from = { after: start, types: ['order.placed'] } as const;
    const source = feedSource({ db: shop.db, log }, from);
    const id = await place();
    await listedWith(start, id);
    const published: object[] = [];
    await eventually(async () => {
      published.push(...(await source.next()).map(({ data }) => data));
      expect(published).toContainEqual(expect.objectContaining({ subject: id }));
    });
  });

  test('an event stream sends heartbeats while no event occurs', async () => {
    const feed = await stream('/v1/events?types=order.delivered');
    const nothing = feed.take(1);
    nothing.catch(() => undefined);
    await eventually(() => expect(feed.comments).toEqual(expect.arrayContaining(['heartbeat'])));
  });

  test('an event stream over the limit is refused with Retry-After until another stream closes', async () => {
    const open = [await stream('/v1/events'), await stream('/v1/events')];
    await stream('/v1/events');
    const refused = await get('/v1/events', { accept: 'text/event-stream' });
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(await problemOf(refused)).toMatchObject({ code: 'too_many_streams', retryable: true });
    await open[0]?.leave();
    await eventually(() => expect(openStreams()).toBe(2));
    await stream('/v1/events');
  });

  test.each([
    '00000000-0000-4000-8000-000000000000',
    '9223372036854775807-0',
    '99999999999999999999-1',
  ])('GET /v1/events after %s, which is no place in the log, returns 404', async (place) => {
    const page = await problemOf(await get(`/v1/events?after=${place}`));
    expect(page).toMatchObject({ code: 'event_not_found', errors: [{ parameter: 'after' }] });
    const headers = { accept: 'text/event-stream', 'last-event-id': place };
    const feed = await problemOf(await get('/v1/events', headers));
    expect(feed).toMatchObject({ status: 404, errors: [{ header: 'last-event-id' }] });
  });

  test('GET /v1/events returns 422 for an unknown Last-Event-ID and JSON when no stream is requested', async () => {
    const headers = { accept: 'text/event-stream', 'last-event-id': 'nowhere' };
    expect((await problemOf(await get('/v1/events', headers))).status).toBe(422);
    for (const accept of ['*/*', 'text/event-stream;q=0', 'application/json']) {
      const response = await get('/v1/events?limit=1', { accept });
      expect(response.headers.get('content-type')).toBe('application/json');
    }
  });

  test('HEAD /v1/events returns 200 and opens no stream', async () => {
    const request = { role: 'operator', headers: { accept: 'text/event-stream' } } as const;
    expect((await shop.request('HEAD', '/v1/events', request)).status).toBe(200);
    expect(openStreams()).toBe(0);
  });
});

test.each([
  ['if-match', '"v1"', 412],
  ['if-none-match', '*', 304],
])(
  'a stream whose precondition %s: %s fails is %i and holds no place',
  async (name, value, status) => {
    const id = await place();
    for (const path of ['/v1/events', `/v1/orders/${id}/timeline`]) {
      const response = await get(path, { accept: 'text/event-stream', [name]: value });
      expect(response.status).toBe(status);
      await eventually(() => expect(openStreams()).toBe(0));
    }
  },
);

describe('GET /v1/orders/{id}/timeline as a stream', () => {
  test("a timeline stream sends the order's events from the first one, and none of another order", async () => {
    const id = await place();
    const timeline = await stream(`/v1/orders/${id}/timeline`);
    await place();
    const frames = await timeline.take(2);
    expect(frames.map((frame) => [frame.id, frame.event])).toEqual([
      ['1', 'order.created'],
      ['2', 'order.placed'],
    ]);
    const next = timeline.take(1);
    await shop.db.$executeRaw`
      INSERT INTO events (id, type, order_id, seq, correlation_id, data)
      VALUES (gen_random_uuid(), 'order.reserved', ${id}, 3, 'x', '{}')`;
    expect(await next).toMatchObject([{ id: '3', event: 'order.reserved', data: { seq: 3 } }]);
  });

  test('a timeline resumes after a sequence number or an event id', async () => {
    const id = await place();
    const [created] = await (await stream(`/v1/orders/${id}/timeline`)).take(1);
    for (const place of ['1', created?.data.id ?? '']) {
      const resumed = await stream(`/v1/orders/${id}/timeline`, { 'last-event-id': place });
      expect(await resumed.take(1)).toMatchObject([{ id: '2', event: 'order.placed' }]);
      await resumed.leave();
    }
    const page = await get(`/v1/orders/${id}/timeline?after=1`);
    expect(await page.json()).toMatchObject({ data: [{ type: 'order.placed' }] });
  });

  test('a timeline page has at most 500 events, reports whether more follow, and continues after the last', async () => {
    const id = await place();
    await shop.db.$executeRaw`
      INSERT INTO events (id, type, order_id, seq, correlation_id, data)
      SELECT gen_random_uuid(), 'order.customer_notified', ${id}, n, 'x', '{}'
      FROM generate_series(3, 501) n`;
    await shop.db.$executeRaw`UPDATE orders SET version = 501 WHERE id = ${id}`;
    const page = async (after: number) =>
      listOf(await get(`/v1/orders/${id}/timeline?after=${after}`));
    const [first, second, whole] = [await page(0), await page(500), await page(1)];
    expect([first.data.length, first.has_more, first.data.at(-1)?.['seq']]).toEqual([
      500,
      true,
      500,
    ]);
    expect([second.data.length, second.has_more]).toEqual([1, false]);
    expect([whole.data.length, whole.has_more]).toEqual([500, false]);
  });

  test("a timeline stream after another order's event returns 404, and an unknown order is not found", async () => {
    const [mine, other] = [await place(), await place()];
    const [created] = await (await stream(`/v1/orders/${other}/timeline`)).take(1);
    const headers = { accept: 'text/event-stream', 'last-event-id': created?.data.id ?? '' };
    const wrong = await get(`/v1/orders/${mine}/timeline`, headers);
    expect((await problemOf(wrong)).code).toBe('event_not_found');
    const missing = 'ord_01k9zq3v5nfa3s4w1m6t2y8h7c';
    const none = await get(`/v1/orders/${missing}/timeline`, headers);
    expect((await problemOf(none)).code).toBe('order_not_found');
  });
});
