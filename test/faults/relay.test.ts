import { afterEach, describe, expect } from 'vitest';
import { DeliveryError, type Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import type { LoggedEvent } from '../../prisma/events/event-log.ts';
import { cursorBefore } from '../../prisma/events/event-log.ts';
import { consumeOnce } from '../../prisma/events/consume-once.ts';
import { listSubscriptions, rewindSubscription } from '../../prisma/events/subscriptions.ts';
import { deliver, EVENTS_ONLY, deadLettersFor, subscribe } from '../events/subscribers.ts';
import { eventually } from '../support/eventually.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { cell } from './matrix-case.ts';

/** The relay: the pump of a subscription, and the deliveries of what it could not hand over. */
const running = useRunningShop(EVENTS_ONLY);
afterEach(() => running.shop.db.subscription.deleteMany());

const SOON = { timeoutMs: 30_000 };

function subscriber(name: string, handle: Subscriber['handle']): Subscriber {
  return {
    name,
    types: [],
    startsAt: 'now',
    maxBatch: 100,
    delayMs: 0,
    deadlineMs: 500,
    retryDelaysMs: [100, 200, 400],
    handle,
  };
}

/** Places an order and gives the ids of its events. */
async function eventsOfAnOrder(): Promise<string[]> {
  const { orderId } = await running.shop.order();
  const events = await running.shop.db.event.findMany({
    where: { orderId },
    orderBy: { seq: 'asc' },
  });
  return events.map(({ id }) => id);
}

/** Fails in the given way the first two times it sees each event; what it took stays taken. */
function stumbling(
  name: string,
  stumble: (take: () => void, signal: AbortSignal) => Promise<void>,
) {
  const seen = new Map<string, number>();
  const taken: string[] = [];
  let stumbled = 0;
  const handle = async (events: readonly LoggedEvent[], signal: AbortSignal): Promise<void> => {
    const take = (): void => void taken.push(...events.map(({ id }) => id));
    const isNew = events.some(({ id }) => (seen.get(id) ?? 0) < 2);
    for (const { id } of events) seen.set(id, (seen.get(id) ?? 0) + 1);
    if (!isNew) return take();
    stumbled += 1;
    await stumble(take, signal);
  };
  return { subscriber: subscriber(name, handle), taken, stumbles: () => stumbled };
}

describe('event delivery', () => {
  cell(
    'O1/F1',
    'an event that its subscriber rejects stays due and is delivered later',
    async (proof) => {
      const {
        subscriber: given,
        taken,
        stumbles,
      } = stumbling('before', () => Promise.reject(new DeliveryError('not now')));
      await subscribe(running.shop, given);
      const ids = await eventsOfAnOrder();
      await eventually(() => expect(taken.toSorted()).toEqual(ids.toSorted()), SOON);
      proof.fired(stumbles());
      expect(await deadLettersFor(running.shop, 'before')).toEqual([]);
    },
  );

  cell(
    'O1/F2',
    'an event whose delivery response is lost is delivered again under the same id',
    async (proof) => {
      const {
        subscriber: given,
        taken,
        stumbles,
      } = stumbling('after', (take) => {
        take();
        return Promise.reject(new DeliveryError('answer lost'));
      });
      await subscribe(running.shop, given);
      const ids = await eventsOfAnOrder();
      await eventually(() => {
        for (const id of ids) expect(taken.filter((each) => each === id).length).toBeGreaterThan(1);
      }, SOON);
      proof.fired(stumbles());
      expect(new Set(taken)).toEqual(new Set(ids));
    },
  );

  cell(
    'O1/F3',
    'an event whose delivery times out is delivered again under the same id',
    async (proof) => {
      const {
        subscriber: given,
        taken,
        stumbles,
      } = stumbling('silent', () => new Promise(() => undefined));
      await subscribe(running.shop, given);
      const ids = await eventsOfAnOrder();
      await eventually(() => expect(taken.toSorted()).toEqual(ids.toSorted()), SOON);
      proof.fired(stumbles());
      expect(await deadLettersFor(running.shop, 'silent')).toEqual([]);
    },
  );

  cell('O1/F4', 'an event that is redelivered is counted once by its consumer', async (proof) => {
    let came = 0;
    const counted: string[] = [];
    const given = subscriber('counting', async (events) => {
      came += events.length;
      await consumeOnce(running.shop.db, 'counting', {
        events,
        work: async (_tx, fresh) => void counted.push(...fresh.map(({ id }) => id)),
      });
    });
    await subscribe(running.shop, given);
    const begun = new Date(Date.now() - 60_000).toISOString();
    const ids = await eventsOfAnOrder();
    await eventually(() => expect(came).toBeGreaterThanOrEqual(ids.length), SOON);
    await rewindSubscription(
      running.shop.db,
      'counting',
      await cursorBefore(running.shop.db, begun),
    );
    await eventually(() => expect(came).toBeGreaterThanOrEqual(ids.length * 2), SOON);
    proof.fired(came - counted.length);
    for (const id of ids) expect(counted.filter((each) => each === id)).toHaveLength(1);
  });

  const delaysNobody =
    'an unavailable subscriber delays no other one, and its dead letters can be delivered later';
  cell('O1/F6', delaysNobody, async (proof) => {
    const healthy: string[] = [];
    const late: string[] = [];
    let away = true;
    let refused = 0;
    await subscribe(
      running.shop,
      subscriber('healthy', async (events) => void healthy.push(...events.map(({ id }) => id))),
    );
    await subscribe(
      running.shop,
      subscriber('away', async (events) => {
        if (away) {
          refused += 1;
          throw new DeliveryError('away');
        }
        late.push(...events.map(({ id }) => id));
      }),
    );
    const ids = await eventsOfAnOrder();
    await eventually(() => expect(healthy).toEqual(ids), SOON);
    const deadLetters = await eventually(async () => {
      const found = await deadLettersFor(running.shop, 'away');
      expect(found.map(({ eventId }) => String(eventId)).toSorted()).toEqual(ids.toSorted());
      return found;
    }, SOON);
    proof.fired(refused);
    const behind = (await listSubscriptions(running.shop.db)).map((each) => each.behind);
    expect(behind).toEqual([0, 0]);
    away = false;
    for (const { eventId, orderId } of deadLetters) {
      if (eventId === null || orderId === null) throw new Error('a letter about an event');
      const input = { subscription: 'away', eventId, orderId, attempts: 0, delaysMs: [0] };
      await deliver(running.shop, { ...input, firstFailedAt: null, error: null });
    }
    expect(late.toSorted()).toEqual(ids.toSorted());
    for (const { status } of await deadLettersFor(running.shop, 'away'))
      expect(status).toBe('resolved');
  });
});
