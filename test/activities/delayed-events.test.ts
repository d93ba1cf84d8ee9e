import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { pumpOnce } from '../../activities/events/pump.ts';
import { DEFAULT_RETRY_DELAYS_MS } from '../../domain/delivery.ts';
import type { OrderId } from '../../domain/ids.ts';
import { createNotifications } from '../../prisma/client/listen.ts';
import { cursorNow, findEvent } from '../../prisma/events/event-log.ts';
import { ensureSubscription, rewindSubscription } from '../../prisma/events/subscriptions.ts';
import { useSeededDatabase } from '../prisma/seeded-database.ts';
import { useOpened } from '../support/use-opened.ts';
import { eventually } from '../support/eventually.ts';

const NAME = 'delayed';
const DELAY_MS = 60_000;
/** By more than the millisecond to which times are rounded. */
const OVER_MS = DELAY_MS + 1_000;
const HOUR_MS = 3_600_000;

const shop = useSeededDatabase();
const notifications = useOpened(async () => createNotifications({ url: shop.url }));
let orderId: OrderId;
let seq = 100;
let batches: string[][] = [];

beforeAll(async () => {
  orderId = (await shop.open()).id;
});
beforeEach(async () => {
  batches = [];
  const cursor = await cursorNow(shop.db);
  await ensureSubscription(shop.db, { name: NAME, types: ['order.placed'], cursor });
  await rewindSubscription(shop.db, NAME, cursor);
  await lastTurnWas(OVER_MS);
});
afterEach(() => {
  vi.useRealTimers();
});

/** Written now, in a transaction that began so long ago. */
async function write(ageMs: number): Promise<string> {
  const id = randomUUID();
  await shop.db.$executeRaw`
    INSERT INTO events (id, type, order_id, seq, correlation_id, data, time)
    VALUES (${id}::uuid, 'order.placed', ${orderId}, ${(seq += 1)}, 'c', '{}',
      now() - ${ageMs} * interval '1 ms')`;
  return id;
}

/** As if it had been written so much earlier. */
async function age(id: string, byMs: number): Promise<void> {
  await shop.db.$transaction(async (tx) => {
    // What is in the log is never changed otherwise.
    await tx.$executeRaw`SET LOCAL session_replication_role = replica`;
    await tx.$executeRaw`
      UPDATE events SET time = time - ${byMs} * interval '1 ms' WHERE id = ${id}::uuid`;
  });
}

async function lastTurnWas(agoMs: number): Promise<void> {
  await shop.db.$executeRaw`
    UPDATE subscriptions SET updated_at = now() - ${agoMs} * interval '1 ms' WHERE name = ${NAME}`;
}

async function pump(maxBatch = 10, delayMs = DELAY_MS) {
  const { kind } = await pumpOnce(
    {
      db: shop.db,
      notifications,
      stopping: new AbortController().signal,
      startDelivery: () => Promise.reject(new Error('nothing fails here')),
      subscriberOf: () =>
        Promise.resolve({
          name: NAME,
          types: ['order.placed'],
          startsAt: 'now',
          maxBatch,
          delayMs,
          deadlineMs: 1_000,
          retryDelaysMs: DEFAULT_RETRY_DELAYS_MS,
          handle: (events) => {
            batches.push(events.map(({ id }) => id));
            return Promise.resolve();
          },
        }),
    },
    NAME,
  );
  return kind;
}

/** Other databases' transactions may hold back what can be read. */
const readableNow = (id: string) =>
  eventually(async () => {
    const cursor = (await findEvent(shop.db, id))?.cursor.split('-')[0] ?? '';
    const end = (await cursorNow(shop.db)).split('-')[0] ?? '';
    expect(BigInt(end)).toBeGreaterThan(BigInt(cursor));
  });

test('an event younger than the delay is not overtaken by an older one behind it in the log', async () => {
  const young = await write(0);
  const old = await write(DELAY_MS * 2);
  await readableNow(old);
  await pump();
  expect(batches).toEqual([]);
  await age(young, OVER_MS);
  await eventually(async () => {
    await lastTurnWas(OVER_MS);
    await pump();
    expect(batches.flat()).toEqual([young, old]);
  });
});

test('events that become due within one delay are delivered in one batch', async () => {
  const ids = [await write(DELAY_MS * 2), await write(DELAY_MS * 2)];
  await readableNow(ids[1] ?? '');
  expect(await pump()).toBe('partial');
  ids.push(await write(DELAY_MS * 2), await write(DELAY_MS * 2));
  await readableNow(ids[3] ?? '');
  expect(await pump()).toBe('early');
  await lastTurnWas(OVER_MS);
  expect(await pump()).toBe('partial');
  expect(batches).toEqual([ids.slice(0, 2), ids.slice(2)]);
});

test('a full batch is delivered without waiting for the delay', async () => {
  const ids = [await write(DELAY_MS * 2), await write(DELAY_MS * 2), await write(DELAY_MS * 2)];
  await readableNow(ids[2] ?? '');
  expect(await pump(2)).toBe('full');
  expect(await pump(1)).toBe('full');
  expect(batches).toEqual([ids.slice(0, 2), ids.slice(2)]);
});

test.each([
  ['behind', -HOUR_MS],
  ['ahead of', HOUR_MS],
])(
  'a worker whose clock is an hour %s the database delivers an event as soon as its delay is over, and not before',
  async (_where, offsetMs) => {
    const old = await write(OVER_MS);
    await readableNow(old);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offsetMs });
    expect(await pump()).toBe('partial');
    await lastTurnWas(OVER_MS);
    const young = await write(0);
    await readableNow(young);
    expect(await pump()).toBe('early');
    expect(await pump(10, 0)).toBe('partial');
    expect(batches).toEqual([[old], [young]]);
  },
);
