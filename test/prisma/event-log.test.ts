import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { Order } from '../../domain/order.ts';
import { transitionOrder, orderTransaction } from '../../prisma/orders/transition.ts';
import {
  cursorBefore,
  cursorNow,
  findEvent,
  isLogCursor,
  findHeldLog,
  LOG_START,
  readLog,
  type LogCursor,
  type LoggedEvent,
} from '../../prisma/events/event-log.ts';
import { eventually } from '../support/eventually.ts';
import { useSeededDatabase } from './seeded-database.ts';
import { times } from '../support/times.ts';

const shop = useSeededDatabase();

const read = async (after: LogCursor, limit = 1_000) =>
  (await readLog(shop.db, { after, limit })).events;

/** Reads on until nothing is left, in pages of two. */
async function readAll(start: LogCursor): Promise<LoggedEvent[]> {
  const all: LoggedEvent[] = [];
  let after = start;
  for (;;) {
    const page = await read(after, 2);
    const last = page.at(-1);
    if (!last) return all;
    all.push(...page);
    after = last.cursor;
  }
}

/** The same once there are `count`: any transaction of the server, also elsewhere, holds them back. */
function readCount(start: LogCursor, count: number): Promise<LoggedEvent[]> {
  return eventually(async () => {
    const events = await readAll(start);
    expect(events).toHaveLength(count);
    return events;
  });
}

/** Behind everything there is, once it can all be read: other databases' transactions hold it back. */
async function endOfLog(): Promise<LogCursor> {
  await eventually(async () => expect((await findHeldLog(shop.db)).seconds).toBe(0));
  return cursorNow(shop.db);
}

const reserve = (tx: Parameters<typeof transitionOrder>[0], order: Order) =>
  transitionOrder(tx, { orderId: order.id, type: 'order.reserved', to: 'reserved' });

/** A transaction that has written its event and waits to be committed. */
async function openTransaction(order: Order) {
  const client = new pg.Client({ connectionString: shop.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query(
    `INSERT INTO events (id, type, order_id, seq, correlation_id, data)
     VALUES (gen_random_uuid(), 'order.reserved', $1, 100, 'first', '{}')`,
    [order.id],
  );
  return {
    async commit() {
      await client.query('COMMIT');
      await client.end();
    },
  };
}

describe('the event log', () => {
  test('reading the log loses no event when transactions commit in the reverse order of their positions', async () => {
    const [slow, quick] = [await shop.place(), await shop.place()];
    const start = await endOfLog();
    const first = await openTransaction(slow);
    // Its event has a higher position, and is committed while the first one's is not.
    await shop.db.$transaction((tx) => reserve(tx, quick));
    const early = await readAll(start);
    const reached = early.at(-1)?.cursor ?? start;
    expect((await findHeldLog(shop.db)).seconds).toBeGreaterThan(0);
    await first.commit();
    const late = await readCount(reached, 2);
    expect(early).toEqual([]);
    expect(late.map(({ orderId }) => orderId)).toEqual([slow.id, quick.id]);
    const positions = late.map(({ cursor }) => Number(cursor.split('-')[1]));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  test('a cursor for now or for a past time precedes the events of open transactions', async () => {
    const [slow, quick] = [await shop.place(), await shop.place()];
    await endOfLog();
    const time = new Date().toISOString();
    const first = await openTransaction(slow);
    await shop.db.$transaction((tx) => reserve(tx, quick));
    const [now, before] = [await cursorNow(shop.db), await cursorBefore(shop.db, time)];
    await first.commit();
    for (const start of [now, before]) {
      const ids = (await readCount(start, 2)).map(({ orderId }) => orderId);
      expect(ids).toEqual([slow.id, quick.id]);
    }
  });

  test('two readers of the log each see every event once while transactions commit concurrently', async () => {
    const start = await endOfLog();
    const orders = await Promise.all(times(8, () => shop.place()));
    let writing = true;
    const follow = async (): Promise<string[]> => {
      const seen: string[] = [];
      for (let after = start, last = false; ;) {
        const page = await read(after, 3);
        seen.push(...page.map(({ id }) => id));
        after = page.at(-1)?.cursor ?? after;
        if (page.length === 0 && last) return seen;
        last = !writing;
      }
    };
    const readers = [follow(), follow()];
    await Promise.all(orders.map((order) => shop.db.$transaction((tx) => reserve(tx, order))));
    const expected = (await readCount(start, 24)).map(({ id }) => id);
    writing = false;
    for (const seen of await Promise.all(readers)) expect(seen).toEqual(expected);
  });

  test('the log can be filtered by event type and by order', async () => {
    const order = await shop.place();
    const types = ['order.placed'] as const;
    const { events: placed } = await readLog(shop.db, { after: LOG_START, types, limit: 1_000 });
    expect(new Set(placed.map(({ type }) => type))).toEqual(new Set(types));
    const own = await eventually(async () => {
      const query = { after: LOG_START, orderId: order.id, limit: 1_000 };
      const { events } = await readLog(shop.db, query);
      expect(events.map(({ type, seq }) => [type, seq])).toEqual([
        ['order.created', 1],
        ['order.placed', 2],
      ]);
      return events;
    });
    expect(await findEvent(shop.db, own[1]?.id ?? '')).toEqual(own[1]);
  });
});

test.each([
  ['0-0', true],
  ['18446744073709551615-9223372036854775807', true],
  ['18446744073709551616-1', false],
  ['1-9223372036854775808', false],
  ['1', false],
  ['1-2-3', false],
  ['-1-2', false],
  ['', false],
])('the cursor check of "%s" returns %s', async (text, expected) => {
  expect(isLogCursor(text)).toBe(expected);
  if (isLogCursor(text)) await expect(read(text, 1)).resolves.toBeDefined();
});

test("the log keeps an order's events in sequence order when its transactions race", async () => {
  const order = await shop.open();
  const start = await endOfLog();
  const racing = times(20, (index) =>
    orderTransaction(shop.db, order.id, async (tx) => {
      // A first write elsewhere: PostgreSQL numbers the transaction here, before the order's row.
      await tx.$executeRaw`
        INSERT INTO consumed_events (consumer, event_id) VALUES ('race', gen_random_uuid())`;
      await transitionOrder(tx, {
        orderId: order.id,
        type: 'order.customer_notified',
        dedupKey: `race/${index}`,
      });
    }),
  );
  await Promise.all(racing);
  const seqs = (await readCount(start, 20)).map((event) => event.seq);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
});
