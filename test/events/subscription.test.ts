import { once } from 'node:events';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DeliveryError, type Subscriber } from '../../activities/subscribers/subscriber.ts';
import type { LoggedEvent } from '../../prisma/event-log.ts';
import { cursorBefore, cursorNow, LOG_START, readLog } from '../../prisma/event-log.ts';
import { listDeadLetters } from '../../prisma/dead-letters.ts';
import {
  ensureSubscription,
  listSubscriptions,
  pauseSubscription,
  rewindSubscription,
  type SubscriptionLag,
} from '../../prisma/subscriptions.ts';
import { eventually } from '../support/eventually.ts';
import { cell } from '../faults/cell.ts';
import { crowd } from '../prisma/shop.ts';
import { createEventsBench, type EventsBench } from '../support/events-bench.ts';
import { quietTemporal, startDevServer, type DevServer } from '../support/temporal.ts';

let server: DevServer;
let connection: Connection;
let native: NativeConnection;
let bench: EventsBench;

beforeAll(async () => {
  quietTemporal();
  server = await startDevServer();
  connection = await Connection.connect({ address: server.address });
  native = await NativeConnection.connect({ address: server.address });
  bench = await createEventsBench({ client: new Client({ connection }), connection: native });
});
afterEach(() => bench.unsubscribeAll());
afterAll(async () => {
  await bench?.close();
  await native?.close();
  await connection?.close();
  await server?.stop();
});

test('a new subscriber from the beginning of the log receives every event in order', async () => {
  await bench.place();
  await bench.place();
  const { subscriber, taken } = collector('replay', { startsAt: 'beginning', maxBatch: 3 });
  await bench.subscribe(subscriber);
  await eventually(async () => {
    const all = await readLog(bench.db, { after: LOG_START, limit: 1_000 });
    expect(all).toHaveLength(await bench.db.event.count());
    expect(taken()).toEqual(all.map((event) => event.id));
  });
});

test('a subscriber receives new events of its types only', async () => {
  const { subscriber, taken } = collector('typed', { types: ['order.placed'] });
  await bench.subscribe(subscriber);
  const { orderId } = await bench.place();
  const placed = await bench.db.event.findFirstOrThrow({
    where: { orderId, type: 'order.placed' },
  });
  await eventually(() => expect(taken()).toEqual([placed.id]));
});

test('a throwing and a hanging subscriber delay no other, and their events become dead letters', async () => {
  const healthy = collector('healthy');
  const throwing = failing('throwing', () => Promise.reject(new DeliveryError('down')));
  const hanging = failing('hanging', () => new Promise(() => undefined));
  // Holds its calls until the others have everything: had anybody waited for it, nobody would.
  const others = new AbortController();
  const othersDone = once(others.signal, 'abort');
  let heldCalls = 0;
  const held = failing('held', async () => {
    heldCalls += 1;
    await othersDone;
  });
  const patient = { ...held, deadlineMs: 120_000 };
  for (const each of [healthy.subscriber, throwing, hanging, patient]) await bench.subscribe(each);
  const { orderId } = await bench.place();
  const events = await bench.db.event.findMany({ where: { orderId } });
  await eventually(() => {
    expect(heldCalls).toBe(1);
    expect(healthy.taken()).toHaveLength(events.length);
  });
  await eventually(async () => {
    for (const name of ['throwing', 'hanging']) {
      const { letters } = await listDeadLetters(bench.db, { subject: name }, { limit: 100 });
      expect(letters.map((letter) => letter.retryCount)).toEqual(events.map(() => 3));
    }
  });
  others.abort();
  await eventually(async () => {
    const lags = await listSubscriptions(bench.db);
    expect(lags.map((each) => each.behind)).toEqual([0, 0, 0, 0]);
  });
});

const setAside =
  'a poisoned event becomes the only dead letter of its batch and the others are delivered';
cell('infra/poison', setAside, async (proof) => {
  const taken = new Set<string>();
  let poisoned = '';
  const subscriber = failing('poison', (events) => {
    poisoned ||= events[0]?.id ?? '';
    if (events.some((event) => event.id === poisoned)) return Promise.reject(new Error('poison'));
    for (const event of events) taken.add(event.id);
    return Promise.resolve();
  });
  await bench.subscribe({ ...subscriber, delayMs: 300 });
  const { orderId } = await bench.place();
  const events = await bench.db.event.findMany({ where: { orderId } });
  const others = events.map((event) => event.id).filter((id) => id !== poisoned);
  await eventually(() => expect(taken.size).toBe(events.length - 1));
  expect([...taken].every((id) => others.includes(id) || id !== poisoned)).toBe(true);
  await eventually(async () => {
    const { letters } = await listDeadLetters(bench.db, { subject: 'poison' }, { limit: 10 });
    expect(letters.map((letter) => letter.eventId)).toEqual([poisoned]);
    proof.fired(letters[0]?.retryCount ?? 0);
  });
});

test('a failing subscriber is offered only part of the log and receives the rest once it recovers', async () => {
  let mended = false;
  const taken: string[] = [];
  const subscriber = failing('outage', (events) => {
    if (!mended) return Promise.reject(new DeliveryError('down'));
    taken.push(...events.map((event) => event.id));
    return Promise.resolve();
  });
  await bench.subscribe({ ...subscriber, maxBatch: 10, retryDelaysMs: [] });
  const orders = await crowd(30, 4, () => bench.place());
  const orderIds = orders.map(({ orderId }) => orderId);
  const dead = async (): Promise<string[]> => {
    const { letters } = await listDeadLetters(bench.db, { subject: 'outage' }, { limit: 100 });
    return letters.map((letter) => letter.eventId ?? '');
  };
  await eventually(async () => expect(await dead()).not.toHaveLength(0));
  mended = true;
  const events = await bench.db.event.findMany({ where: { orderId: { in: orderIds } } });
  await eventually(async () => {
    expect([...(await dead()), ...taken].toSorted()).toEqual(events.map(({ id }) => id).toSorted());
  });
  expect(taken.length).toBeGreaterThan(events.length / 3);
});

test('a paused subscriber misses no event, and a rewound one receives the same events again', async () => {
  const { subscriber, taken } = collector('paused');
  const { name, types } = subscriber;
  await ensureSubscription(bench.db, { name, types, cursor: await cursorNow(bench.db) });
  await pauseSubscription(bench.db, name, true);
  await bench.subscribe(subscriber);
  const begun = new Date();
  const { orderId } = await bench.place();
  const ids = (await bench.db.event.findMany({ where: { orderId }, orderBy: { seq: 'asc' } })).map(
    (event) => event.id,
  );
  await eventually(async () => {
    expect(await lagOf('paused')).toMatchObject({ paused: true, behind: ids.length });
  });
  expect(taken()).toEqual([]);
  await pauseSubscription(bench.db, 'paused', false);
  await eventually(() => expect(taken()).toEqual(ids));
  const [{ now } = { now: begun }] = await bench.db.$queryRaw<{ now: Date }[]>`
    SELECT min(time) AS now FROM events WHERE order_id = ${orderId}`;
  // What it has taken counts as taken only when its cursor says so.
  await eventually(async () => expect((await lagOf('paused'))?.behind).toBe(0));
  const before = await cursorBefore(bench.db, now.toISOString());
  expect(await rewindSubscription(bench.db, 'paused', before)).toBe('rewound');
  await eventually(() => expect(taken()).toEqual([...ids, ...ids]));
});

test('a new worker resumes the pump of the previous one without repeating an event', async () => {
  const { subscriber, taken } = collector('handover');
  await bench.subscribe(subscriber);
  await bench.place();
  await eventually(async () => {
    expect(taken().length).toBeGreaterThan(0);
    expect((await lagOf('handover'))?.behind).toBe(0);
  });
  await bench.replaceWorker();
  const { orderId } = await bench.place();
  const events = await bench.db.event.findMany({ where: { orderId } });
  await eventually(() =>
    expect(taken()).toEqual(expect.arrayContaining(events.map((event) => event.id))),
  );
  expect(new Set(taken()).size, 'nothing was begun anew').toBe(taken().length);
});

interface Given {
  readonly startsAt?: 'beginning' | 'now';
  readonly maxBatch?: number;
  readonly types?: Subscriber['types'];
}

async function lagOf(name: string): Promise<SubscriptionLag | undefined> {
  return (await listSubscriptions(bench.db)).find((each) => each.name === name);
}

/** A subscriber that remembers what it was given. */
function collector(name: string, given: Given = {}) {
  const ids: string[] = [];
  const subscriber: Subscriber = {
    ...failing(name, (events) => {
      ids.push(...events.map((event) => event.id));
      return Promise.resolve();
    }),
    ...given,
  };
  return { subscriber, taken: () => [...ids] };
}

function failing(
  name: string,
  handle: (events: readonly LoggedEvent[]) => Promise<void>,
): Subscriber {
  return {
    name,
    types: [],
    startsAt: 'now',
    maxBatch: 100,
    delayMs: 0,
    deadlineMs: 500,
    retryDelaysMs: [100, 200],
    handle,
  };
}
