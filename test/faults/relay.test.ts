import { afterEach, describe, expect } from 'vitest';
import { DeliveryError, type Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import type { LoggedEvent } from '../../prisma/events/event-log.ts';
import { cursorBefore } from '../../prisma/events/event-log.ts';
import { consumeOnce } from '../../prisma/events/consume-once.ts';
import { listSubscriptions, rewindSubscription } from '../../prisma/events/subscriptions.ts';
import {
  deliver,
  EVENTS_ONLY,
  deadLettersFor,
  subscribe,
  subscriberOf,
} from '../events/subscribers.ts';
import { eventually } from '../support/eventually.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { test } from './matrix-case.ts';

/** The pump of a subscription, and the deliveries of events that failed with their batch. */
const shop = useRunningShop(EVENTS_ONLY);
afterEach(() => shop.db.subscription.deleteMany());

const SOON = { timeoutMs: 30_000 };

/** Fails an event three times before it is a dead letter. */
function subscriber(name: string, handle: Subscriber['handle']): Subscriber {
  return { ...subscriberOf(name, handle), retryDelaysMs: [100, 200, 400] };
}

/** Places an order and gives the ids of its events. */
async function eventsOfAnOrder(): Promise<string[]> {
  const { orderId } = await shop.order();
  const events = await shop.db.event.findMany({
    where: { orderId },
    orderBy: { seq: 'asc' },
  });
  return events.map(({ id }) => id);
}

/** Subscribes a subscriber that fails in the given way the first two times it gets each event. */
async function subscribeFailingTwice(
  name: string,
  fail: (take: () => void, signal: AbortSignal) => Promise<void>,
) {
  const seen = new Map<string, number>();
  const taken: string[] = [];
  let failures = 0;
  const handle = async (events: readonly LoggedEvent[], signal: AbortSignal): Promise<void> => {
    const take = (): void => void taken.push(...events.map(({ id }) => id));
    const isNew = events.some(({ id }) => (seen.get(id) ?? 0) < 2);
    for (const { id } of events) seen.set(id, (seen.get(id) ?? 0) + 1);
    if (!isNew) return take();
    failures += 1;
    await fail(take, signal);
  };
  await subscribe(shop, subscriber(name, handle));
  return { taken, failures: () => failures };
}

describe('event delivery', () => {
  test('[O1/F1] an event that its subscriber rejects stays due and is delivered later', async (proof) => {
    const { taken, failures } = await subscribeFailingTwice('before', () =>
      Promise.reject(new DeliveryError('not now')),
    );
    const ids = await eventsOfAnOrder();
    await eventually(() => expect(taken.toSorted()).toEqual(ids.toSorted()), SOON);
    proof.fired(failures());
    expect(await deadLettersFor(shop, 'before')).toEqual([]);
  });

  test('[O1/F2] an event whose delivery response is lost is delivered again under the same id', async (proof) => {
    const { taken, failures } = await subscribeFailingTwice('after', (take) => {
      take();
      return Promise.reject(new DeliveryError('response lost'));
    });
    const ids = await eventsOfAnOrder();
    await eventually(() => {
      for (const id of ids) expect(taken.filter((each) => each === id).length).toBeGreaterThan(1);
    }, SOON);
    proof.fired(failures());
    expect(new Set(taken)).toEqual(new Set(ids));
  });

  test('[O1/F3] an event whose delivery times out is delivered again under the same id', async (proof) => {
    const { taken, failures } = await subscribeFailingTwice(
      'silent',
      () => new Promise(() => undefined),
    );
    const ids = await eventsOfAnOrder();
    await eventually(() => expect(taken.toSorted()).toEqual(ids.toSorted()), SOON);
    proof.fired(failures());
    expect(await deadLettersFor(shop, 'silent')).toEqual([]);
  });

  test('[O1/F4] an event that is redelivered is counted once by its consumer', async (proof) => {
    let received = 0;
    const counted: string[] = [];
    const given = subscriber('counting', async (events) => {
      received += events.length;
      await consumeOnce(shop.db, 'counting', {
        events,
        work: async (_tx, fresh) => void counted.push(...fresh.map(({ id }) => id)),
      });
    });
    await subscribe(shop, given);
    const since = new Date(Date.now() - 60_000).toISOString();
    const ids = await eventsOfAnOrder();
    await eventually(() => expect(received).toBeGreaterThanOrEqual(ids.length), SOON);
    await rewindSubscription(shop.db, 'counting', await cursorBefore(shop.db, since));
    await eventually(() => expect(received).toBeGreaterThanOrEqual(ids.length * 2), SOON);
    proof.fired(received - counted.length);
    for (const id of ids) expect(counted.filter((each) => each === id)).toHaveLength(1);
  });

  test('[O1/F6] an unavailable subscriber delays no other one, and its dead letters can be delivered later', async (proof) => {
    const healthy: string[] = [];
    const late: string[] = [];
    let down = true;
    let refused = 0;
    await subscribe(
      shop,
      subscriber('healthy', async (events) => void healthy.push(...events.map(({ id }) => id))),
    );
    await subscribe(
      shop,
      subscriber('down', async (events) => {
        if (down) {
          refused += 1;
          throw new DeliveryError('down');
        }
        late.push(...events.map(({ id }) => id));
      }),
    );
    const ids = await eventsOfAnOrder();
    await eventually(() => expect(healthy).toEqual(ids), SOON);
    const deadLetters = await eventually(async () => {
      const found = await deadLettersFor(shop, 'down');
      expect(found.map(({ eventId }) => String(eventId)).toSorted()).toEqual(ids.toSorted());
      return found;
    }, SOON);
    proof.fired(refused);
    const lag = (await listSubscriptions(shop.db)).map((each) => each.behind);
    expect(lag).toEqual([0, 0]);
    down = false;
    for (const { eventId, orderId } of deadLetters) {
      if (eventId === null || orderId === null) throw new Error('a dead letter about an event');
      const input = { subscription: 'down', eventId, orderId, attempts: 0, delaysMs: [0] };
      await deliver(shop, { ...input, firstFailedAt: null, error: null });
    }
    expect(late.toSorted()).toEqual(ids.toSorted());
    for (const { status } of await deadLettersFor(shop, 'down')) expect(status).toBe('resolved');
  });
});
