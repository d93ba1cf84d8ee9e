import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { DeliveryError, type Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { cursorBefore, cursorNow, LOG_START, readLog } from '../../prisma/events/event-log.ts';
import {
  ensureSubscription,
  listSubscriptions,
  pauseSubscription,
  rewindSubscription,
  type SubscriptionLag,
} from '../../prisma/events/subscriptions.ts';
import { runConcurrently } from '../prisma/seeded-database.ts';
import { eventually } from '../support/eventually.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { EVENTS_ONLY, deadLettersFor, subscribe, subscriberOf } from './subscribers.ts';

const shop = useRunningShop(EVENTS_ONLY);
afterEach(() => shop.db.subscription.deleteMany());

test('a new subscriber from the beginning of the log receives every event in order', async () => {
  await shop.order();
  await shop.order();
  const { subscriber, taken } = collector('replay', { startsAt: 'beginning', maxBatch: 3 });
  await subscribe(shop, subscriber);
  await eventually(async () => {
    const { events: all } = await readLog(shop.db, { after: LOG_START, limit: 1_000 });
    expect(all).toHaveLength(await shop.db.event.count());
    expect(taken()).toEqual(all.map((event) => event.id));
  });
});

test('a subscriber receives new events of its types only', async () => {
  const { subscriber, taken } = collector('typed', { types: ['order.placed'] });
  await subscribe(shop, subscriber);
  const { orderId } = await shop.order();
  const placed = await shop.db.event.findFirstOrThrow({
    where: { orderId, type: 'order.placed' },
  });
  await eventually(() => expect(taken()).toEqual([placed.id]));
});

test('a throwing and a hanging subscriber delay no other, and their events become dead letters', async () => {
  const healthy = collector('healthy');
  const throwing = subscriberOf('throwing', () => Promise.reject(new DeliveryError('down')));
  const hangs = subscriberOf('hanging', () => new Promise(() => undefined));
  const hanging = { ...hangs, deadlineMs: 100 };
  // Blocks until the others have every event: a subscription that waited for it would never finish.
  const others = new AbortController();
  const othersDone = once(others.signal, 'abort');
  let heldCalls = 0;
  const held = subscriberOf('held', async () => {
    heldCalls += 1;
    await othersDone;
  });
  const blocking = { ...held, deadlineMs: 120_000 };
  for (const each of [healthy.subscriber, throwing, hanging, blocking]) {
    await subscribe(shop, each);
  }
  const { orderId } = await shop.order();
  const events = await shop.db.event.findMany({ where: { orderId } });
  await eventually(() => {
    expect(heldCalls).toBe(1);
    expect(healthy.taken()).toHaveLength(events.length);
  });
  await eventually(async () => {
    for (const name of ['throwing', 'hanging']) {
      const deadLetters = await deadLettersFor(shop, name);
      expect(deadLetters.map((deadLetter) => deadLetter.retryCount)).toEqual(events.map(() => 3));
    }
  });
  others.abort();
  await eventually(async () => {
    const lags = await listSubscriptions(shop.db);
    expect(lags.map((each) => each.behind)).toEqual([0, 0, 0, 0]);
  });
});

test('a failing subscriber is offered only part of the log and receives the rest once it recovers', async () => {
  let mended = false;
  const taken: string[] = [];
  const subscriber = subscriberOf('outage', (events) => {
    if (!mended) return Promise.reject(new DeliveryError('down'));
    taken.push(...events.map((event) => event.id));
    return Promise.resolve();
  });
  await subscribe(shop, { ...subscriber, maxBatch: 10, retryDelaysMs: [] });
  const orders = await runConcurrently(30, 4, () => shop.order());
  const orderIds = orders.map(({ orderId }) => orderId);
  const dead = async (): Promise<string[]> => {
    const deadLetters = await deadLettersFor(shop, 'outage');
    return deadLetters.map((deadLetter) => deadLetter.eventId ?? '');
  };
  await eventually(async () => expect(await dead()).not.toHaveLength(0));
  mended = true;
  const events = await shop.db.event.findMany({ where: { orderId: { in: orderIds } } });
  await eventually(async () => {
    expect([...(await dead()), ...taken].toSorted()).toEqual(events.map(({ id }) => id).toSorted());
  });
  expect(taken.length).toBeGreaterThan(events.length / 3);
});

test('a paused subscriber misses no event, and a rewound one receives the same events again', async () => {
  const { subscriber, taken } = collector('paused');
  const { name, types } = subscriber;
  await ensureSubscription(shop.db, { name, types, cursor: await cursorNow(shop.db) });
  await pauseSubscription(shop.db, name, true);
  await subscribe(shop, subscriber);
  const begun = new Date();
  const { orderId } = await shop.order();
  const ids = (await shop.db.event.findMany({ where: { orderId }, orderBy: { seq: 'asc' } })).map(
    (event) => event.id,
  );
  await eventually(async () => {
    expect(await lagOf('paused')).toMatchObject({ paused: true, behind: ids.length });
  });
  expect(taken()).toEqual([]);
  await pauseSubscription(shop.db, 'paused', false);
  await eventually(() => expect(taken()).toEqual(ids));
  const [{ now } = { now: begun }] = await shop.db.$queryRaw<{ now: Date }[]>`
    SELECT min(time) AS now FROM events WHERE order_id = ${orderId}`;
  // What it has taken counts as taken only when its cursor says so.
  await eventually(async () => expect((await lagOf('paused'))?.behind).toBe(0));
  const before = await cursorBefore(shop.db, now.toISOString());
  expect(await rewindSubscription(shop.db, 'paused', before)).toBe('rewound');
  await eventually(() => expect(taken()).toEqual([...ids, ...ids]));
});

test('a new worker resumes the pump of the previous one without repeating an event', async () => {
  const { subscriber, taken } = collector('handover');
  await subscribe(shop, subscriber);
  await shop.order();
  await eventually(async () => {
    expect(taken().length).toBeGreaterThan(0);
    expect((await lagOf('handover'))?.behind).toBe(0);
  });
  await shop.stopWorker('events');
  await shop.startWorker('events');
  const { orderId } = await shop.order();
  const events = await shop.db.event.findMany({ where: { orderId } });
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
  return (await listSubscriptions(shop.db)).find((each) => each.name === name);
}

/** A subscriber that remembers what it was given. */
function collector(name: string, given: Given = {}) {
  const ids: string[] = [];
  const subscriber: Subscriber = {
    ...subscriberOf(name, (events) => {
      ids.push(...events.map((event) => event.id));
      return Promise.resolve();
    }),
    ...given,
  };
  return { subscriber, taken: () => [...ids] };
}
