/** A pump's turn, statement by statement, without Temporal. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEventActivities } from '../../activities/events/events.ts';
import { pumpOnce } from '../../activities/events/pump.ts';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import type { Database } from '../../prisma/client/client.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import { cursorNow, findHeldLog } from '../../prisma/events/event-log.ts';
import { createNotifications, type Notifications } from '../../prisma/client/listen.ts';
import {
  ensureSubscription,
  findSubscription,
  removeSubscription,
} from '../../prisma/events/subscriptions.ts';
import { eventually } from '../support/eventually.ts';
import { inActivity } from '../support/in-activity.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

/** Find the subscription, read, look for the log's end, read once more, move the cursor. */
const STATEMENTS_OF_A_QUIET_TURN = 5;

const shop = useShop();
let notifications: Notifications;
beforeAll(async () => {
  notifications = createNotifications({ url: shop.databaseUrl });
});
afterAll(async () => {
  await notifications.close();
});

test.each(times(STATEMENTS_OF_A_QUIET_TURN, (at) => at + 1))(
  'an order placed just before statement %i of an idle pump turn is delivered',
  async (at) => {
    const taken: string[] = [];
    const subscriber = await quietSubscription(`quiet-${at}`, taken);
    let placed = '';
    const db = interrupted(shop.db, at, async () => {
      const { orderId } = await shop.order();
      const event = { orderId, type: 'order.placed' };
      placed = (await shop.db.event.findFirstOrThrow({ where: event })).id;
    });
    await turn(db, subscriber);
    expect(placed, 'the turn is shorter than this test takes it for').not.toBe('');
    await eventually(async () => {
      await turn(shop.db, subscriber);
      expect(taken).toEqual([placed]);
    });
  },
);

test('an unknown subscriber fails retryably until its subscription is removed', async () => {
  const name = 'newer';
  await ensureSubscription(shop.db, { name, types: [], cursor: await cursorNow(shop.db) });
  const { orderId } = await shop.order();
  const { id: eventId } = await shop.db.event.findFirstOrThrow({ where: { orderId } });
  // The next test begins where the log can be read to.
  await eventually(async () => expect((await findHeldLog(shop.db)).seconds).toBe(0));
  const deps = { ...depsOf(shop.db), subscriberOf: () => Promise.resolve(null) };
  const { deliverEvent } = createEventActivities(deps);
  const unknown = { type: 'subscriber_unknown', nonRetryable: false };
  await expect(pumpOnce(deps, name)).rejects.toMatchObject(unknown);
  await expect(deliverEvent({ subscription: name, eventId })).rejects.toMatchObject(unknown);
  await removeSubscription(shop.db, name);
  expect(await pumpOnce(deps, name)).toEqual({ kind: 'gone' });
  expect(await deliverEvent({ subscription: name, eventId })).toEqual({ kind: 'gone' });
});

test('a version that does not read a type which a newer one added leaves the cursor where it is', async () => {
  const name = 'extended';
  const older: Subscriber = { ...(await quietSubscription(name, [])), types: ['order.placed'] };
  const types = ['order.placed', 'order.shipped'] as const;
  await ensureSubscription(shop.db, { name, types, cursor: await cursorNow(shop.db) });
  const before = await findSubscription(shop.db, name);
  await shop.order();
  const unknown = { type: 'subscriber_unknown', nonRetryable: false };
  await expect(turn(shop.db, older)).rejects.toMatchObject(unknown);
  expect((await findSubscription(shop.db, name))?.cursor).toBe(before?.cursor);
  await eventually(async () => expect((await findHeldLog(shop.db)).seconds).toBe(0));
});

test('an event whose delivery Temporal refuses becomes a dead letter, and those behind it are delivered', async () => {
  const name = 'refused';
  const types = ['order.placed'] as const;
  await ensureSubscription(shop.db, { name, types, cursor: await cursorNow(shop.db) });
  const orderIds = [(await shop.order()).orderId, (await shop.order()).orderId];
  const taken: string[] = [];
  const subscriber: Subscriber = {
    name,
    types,
    startsAt: 'now',
    maxBatch: 10,
    delayMs: 0,
    deadlineMs: 5_000,
    retryDelaysMs: [1_000],
    handle(events) {
      const [first] = events;
      if (first?.orderId === orderIds[0]) return Promise.reject(new Error('poison'));
      taken.push(...events.map(({ orderId }) => orderId));
      return Promise.resolve();
    },
  };
  const deps = { ...depsOf(shop.db), subscriberOf: () => Promise.resolve(subscriber) };
  await eventually(async () => {
    await inActivity(() => pumpOnce(deps, name));
    expect(taken).toEqual([orderIds[1]]);
  });
  const { deadLetters } = await listDeadLetters(shop.db, { subject: name }, { limit: 10 });
  expect(deadLetters).toMatchObject([{ orderId: orderIds[0], status: 'open', source: 'delivery' }]);
});

/** Nothing happened for so long that its cursor follows the end of the log. */
async function quietSubscription(name: string, taken: string[]): Promise<Subscriber> {
  const types = ['order.placed'] as const;
  await ensureSubscription(shop.db, { name, types, cursor: await cursorNow(shop.db) });
  const updatedAt = new Date(Date.now() - 600_000);
  await shop.db.subscription.update({ where: { name }, data: { updatedAt } });
  return {
    name,
    types,
    startsAt: 'now',
    maxBatch: 10,
    delayMs: 0,
    deadlineMs: 5_000,
    retryDelaysMs: [],
    handle(events) {
      taken.push(...events.map(({ id }) => id));
      return Promise.resolve();
    },
  };
}

async function turn(db: Database, subscriber: Subscriber): Promise<void> {
  const deps = { ...depsOf(db), subscriberOf: () => Promise.resolve(subscriber) };
  await pumpOnce(deps, subscriber.name);
}

function depsOf(db: Database) {
  return {
    db,
    notifications,
    startDelivery: () => Promise.reject(new Error('nothing fails here')),
    stopping: new AbortController().signal,
  };
}

/** The database, with something else happening just before statement number `at`. */
function interrupted(db: Database, at: number, happens: () => Promise<void>): Database {
  let asked = 0;
  return new Proxy(db, {
    get(target, name: keyof Database) {
      const found = target[name];
      if ((name !== '$queryRaw' && name !== '$executeRaw') || typeof found !== 'function') {
        return found;
      }
      return new Proxy(found, {
        async apply(ask, _itself, args) {
          asked += 1;
          if (asked === at) await happens();
          return Reflect.apply(ask, target, args);
        },
      });
    },
  });
}
