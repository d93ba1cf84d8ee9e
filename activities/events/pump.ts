/**
 * One batch of a subscription's pump: read after the cursor, deliver, advance the cursor. An event
 * that fails on its own gets a delivery workflow or a dead letter before the cursor passes it, so it is
 * neither lost nor does it block the events behind it.
 */
import { log } from '@temporalio/activity';
import type { Delivery } from '../../domain/delivery.ts';
import type { LoggedEvent } from '../../prisma/events/event-log.ts';
import { cursorNow, readLog, type LogPage, type LogQuery } from '../../prisma/events/event-log.ts';
import {
  advanceCursor,
  findSubscription,
  type ReadSubscription,
} from '../../prisma/events/subscriptions.ts';
import type { EventDependencies } from './dependencies.ts';
import { eachItem, itemFailures } from '../../telemetry/items.ts';
import { subscriberUnknown } from '../failures.ts';
import { itemLoop } from '../items.ts';
import { callSubscriber } from './call-subscriber.ts';
import { recordDeliveriesFailed } from './failed-deliveries.ts';
import { DeliveryError, PartialFailure, type Subscriber } from './subscribers/subscriber.ts';

/**
 * `full`: there are more events. `partial`: there may be more. `idle`: no event is due. `gone`: the
 * subscription does not exist.
 */
export type Batch =
  | { readonly kind: 'full' | 'partial' | 'idle' | 'gone' }
  /** Every event failed: it is deferred to a delivery workflow, or a dead letter. */
  | { readonly kind: 'failed'; readonly deferred: number }
  /** There are events, but none is due yet. */
  | { readonly kind: 'early'; readonly dueInMs: number };

const IDLE: Batch = { kind: 'idle' };

/** How many events of a failed batch are delivered one by one at the same time. */
const SINGLE_CONCURRENCY = 8;
/**
 * How often the cursor advances while the log has no event for the subscription. Until then its lag
 * grows, and each read starts at the old place.
 */
const TAIL_EVERY_MS = 10_000;

/**
 * Delivers one batch, of at most `atMost` events. Throws a retryable failure when this version has no
 * subscriber for the subscription, or one that reads fewer types than it wants.
 */
export async function pumpOnce(
  deps: EventDependencies,
  name: string,
  atMost = Number.MAX_SAFE_INTEGER,
): Promise<Batch> {
  const subscription = await findSubscription(deps.db, name);
  if (!subscription) return { kind: 'gone' };
  const subscriber = await deps.subscriberOf(name);
  if (!subscriber || !readsAll(subscriber, subscription)) throw subscriberUnknown(name);
  if (subscription.paused) return IDLE;
  const read = {
    after: subscription.cursor,
    types: subscriber.types,
    limit: Math.min(subscriber.maxBatch, atMost),
  };
  const { events, next } = await readLog(deps.db, read);
  if (events.length === 0) return tail(deps, subscription, { ...read, next });
  const { due, dueInMs } = claimBatch(events, subscriber, subscription);
  const last = due.at(-1);
  if (!last) return { kind: 'early', dueInMs };
  const failed = await deliverWanted(deps, subscriber, due);
  // Does nothing when the cursor or the types changed meanwhile: the next batch reads by the new ones.
  await advanceCursor(deps.db, subscription, last.cursor);
  if (failed === due.length) return { kind: 'failed', deferred: failed };
  return { kind: due.length === subscriber.maxBatch ? 'full' : 'partial' };
}

/** False: a newer version has added a type, and the cursor would pass its events unread. */
function readsAll({ types }: Subscriber, wanted: ReadSubscription): boolean {
  if (types.length === 0) return true;
  return wanted.types.length > 0 && wanted.types.every((type) => types.includes(type));
}

/**
 * Delivers the events that the subscriber wants. One that is not retried becomes a dead letter, any other
 * that failed gets a delivery workflow. Returns how many failed, without those that failed for good:
 * more time would not help the receiver with them.
 */
async function deliverWanted(
  deps: EventDependencies,
  subscriber: Subscriber,
  due: readonly LoggedEvent[],
): Promise<number> {
  const wanted = (await subscriber.selectWanted?.(due)) ?? due;
  const failed = wanted.length === 0 ? [] : await deliver(subscriber, wanted);
  const deliveries = failed.map(({ event, error }) => deferToDelivery(subscriber, event, error));
  for (const { subscription, eventId, error } of deliveries) {
    itemFailures.inc({ loop: 'pump' });
    log.info('an event was not accepted', { subscription, event_id: eventId, failure: error });
  }
  const dead = deliveries.filter(({ delaysMs }) => delaysMs.length === 0);
  const retried = deliveries.filter(({ delaysMs }) => delaysMs.length > 0);
  const loop = itemLoop('start_delivery', ({ eventId }: Delivery) => eventId);
  const refused = await eachItem(retried, loop, (delivery) => deps.startDelivery(delivery));
  // One whose delivery cannot be started is dead, too: the events behind it must not wait.
  await recordDeliveriesFailed(deps.db, [...dead, ...refused.map(({ item }) => item)]);
  return failed.filter(({ error }) => !describeFailure(error).final).length;
}

/**
 * The events that are due, up to the first that is not: log order is not time order, and the cursor
 * must not pass an event that was left out. With a delay, a batch that is not full waits that long after
 * the batch before, so that there is one batch per delay and not one per event. All times are the
 * database's: this process's clock may differ.
 */
function claimBatch(
  events: readonly LoggedEvent[],
  { delayMs, maxBatch }: Subscriber,
  { updatedAt, readAt }: ReadSubscription,
): { readonly due: readonly LoggedEvent[]; readonly dueInMs: number } {
  if (delayMs === 0) return { due: events, dueInMs: 0 };
  const nowMs = Date.parse(readAt);
  const inMs = (time: string): number => Date.parse(time) + delayMs - nowMs;
  const young = events.findIndex(({ time }) => inMs(time) > 0);
  const old = young === -1 ? events : events.slice(0, young);
  const [first] = events;
  if (old.length < maxBatch && inMs(updatedAt) > 0) return { due: [], dueInMs: inMs(updatedAt) };
  return { due: old, dueInMs: first ? inMs(first.time) : 0 };
}

type Failed = PartialFailure['failed'];

/** Delivers the batch; if it fails, each event on its own. Returns the events that failed. */
async function deliver(subscriber: Subscriber, events: readonly LoggedEvent[]): Promise<Failed> {
  try {
    await callSubscriber(subscriber, events);
    return [];
  } catch (error) {
    if (error instanceof PartialFailure) return error.failed;
    const [only, another] = events;
    if (only && !another) return [{ event: only, error }];
    return deliverOneByOne(subscriber, events);
  }
}

async function deliverOneByOne(
  subscriber: Subscriber,
  events: readonly LoggedEvent[],
): Promise<Failed> {
  const failed: { event: LoggedEvent; error: unknown }[] = [];
  for (let at = 0; at < events.length; at += SINGLE_CONCURRENCY) {
    const group = events.slice(at, at + SINGLE_CONCURRENCY);
    const results = await Promise.allSettled(
      group.map((event) => callSubscriber(subscriber, [event])),
    );
    for (const [index, result] of results.entries()) {
      const event = group[index];
      if (event && result.status === 'rejected') failed.push({ event, error: result.reason });
    }
  }
  return failed;
}

function deferToDelivery({ name, retryDelaysMs }: Subscriber, event: LoggedEvent, error: unknown) {
  const failure = describeFailure(error);
  const [first = 0, ...later] = retryDelaysMs;
  const delaysMs = [Math.max(first, failure.retryAfterMs ?? 0), ...later];
  return {
    subscription: name,
    eventId: event.id,
    orderId: event.orderId,
    attempts: failure.attempted ? 1 : 0,
    delaysMs: failure.final || retryDelaysMs.length === 0 ? [] : delaysMs,
    firstFailedAt: new Date().toISOString(),
    error: failure.error,
  };
}

/** A failure for Temporal and the dead letters: a DeliveryError's message, else only the error's name. */
export function describeFailure(error: unknown): {
  readonly error: string;
  readonly retryAfterMs: number | null;
  readonly final: boolean;
  readonly attempted: boolean;
} {
  if (error instanceof DeliveryError) {
    const { message, retryAfterMs, final, attempted } = error;
    return { error: message, retryAfterMs, final, attempted };
  }
  const kind = error instanceof Error ? error.name : typeof error;
  return { error: `unexpected ${kind}`, retryAfterMs: null, final: false, attempted: true };
}

/**
 * No events: the cursor follows what was looked at, and the end of the log from time to time, so that
 * reads stay short.
 */
async function tail(
  { db }: EventDependencies,
  subscription: ReadSubscription,
  { next, ...read }: LogQuery & Pick<LogPage, 'next'>,
): Promise<Batch> {
  if (next !== read.after) {
    await advanceCursor(db, subscription, next);
    return { kind: 'full' };
  }
  const { updatedAt, readAt } = subscription;
  if (Date.parse(updatedAt) + TAIL_EVERY_MS > Date.parse(readAt)) return IDLE;
  // In this order: every event below the end was readable before the log is read again.
  const end = await cursorNow(db);
  const late = await readLog(db, { ...read, limit: 1 });
  if (late.next !== read.after) return { kind: 'partial' };
  await advanceCursor(db, subscription, end);
  return IDLE;
}
