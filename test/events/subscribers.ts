/** Subscribers for tests: of a subscription that runs, or handed one event by a delivery of its own. */
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { listDeadLetters, type DeadLetter } from '../../prisma/events/dead-letters.ts';
import { cursorNow, LOG_START } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import {
  DELIVERY_WORKFLOW,
  deliveryStartOptions,
  SUBSCRIPTION_WORKFLOW,
  subscriptionStartOptions,
  type DeliveryInput,
  type DeliveryResult,
} from '../../workflows/events/contract.ts';
import type { delivery } from '../../workflows/events/delivery.ts';
import { createRecorders } from '../support/recorders.ts';
import type { RunningShop, RunningShopOptions } from '../support/running-shop.ts';

/** Orders are only placed: their events are what matters. */
export const EVENTS_ONLY: RunningShopOptions = {
  queues: ['events'],
  temporal: { checkouts: createRecorders().checkouts },
};

/** One of all events, which gives a batch 500 ms and a failed event two more tries soon after. */
export function subscriberOf(name: string, handle: Subscriber['handle']): Subscriber {
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

/** Adds the subscriber and starts its subscription. */
export async function subscribe(shop: RunningShop, subscriber: Subscriber): Promise<void> {
  const { name, types, startsAt } = subscriber;
  shop.subscribers.set(name, subscriber);
  const cursor = startsAt === 'beginning' ? LOG_START : await cursorNow(shop.db);
  await ensureSubscription(shop.db, { name, types, cursor });
  const options = subscriptionStartOptions({ subscription: name });
  await shop.temporal.client.workflow.start(SUBSCRIPTION_WORKFLOW, options);
}

/** A subscriber without a subscription, which does this with an event, and an event of a new order. */
export async function eventFor(shop: RunningShop, name: string, handle: (id: string) => void) {
  let called = 0;
  shop.subscribers.set(
    name,
    subscriberOf(name, async (events) => {
      called += 1;
      for (const { id } of events) handle(id);
    }),
  );
  const { orderId } = await shop.order();
  const { id: eventId } = await shop.db.event.findFirstOrThrow({ where: { orderId } });
  const event = { subscription: name, eventId, orderId, firstFailedAt: null, error: null };
  return { event, calls: () => called };
}

/** Runs one delivery workflow to its end. `tookMs` is by the server's clock. */
export async function deliver(
  { temporal: { client } }: RunningShop,
  input: DeliveryInput,
): Promise<DeliveryResult & { readonly tookMs: number }> {
  const options = deliveryStartOptions(input);
  const handle = await client.workflow.start<typeof delivery>(DELIVERY_WORKFLOW, options);
  const result = await handle.result();
  const { startTime, closeTime } = await handle.describe();
  return { ...result, tookMs: (closeTime?.getTime() ?? 0) - startTime.getTime() };
}

/** The dead letters of a subscriber. */
export async function deadLettersFor(
  { db }: RunningShop,
  subject: string,
): Promise<readonly DeadLetter[]> {
  return (await listDeadLetters(db, { subject }, { limit: 100 })).deadLetters;
}
