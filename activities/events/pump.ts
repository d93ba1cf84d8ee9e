/**
 * One turn of a subscription's pump: read after the cursor, hand over, move on. An event that fails
 * alone gets a workflow of its own before the cursor passes it, so it is never forgotten and never
 * waited for.
 */
import type { LoggedEvent } from '../../prisma/events/event-log.ts';
import { cursorNow, readLog, type LogQuery } from '../../prisma/events/event-log.ts';
import {
  advanceCursor,
  findSubscription,
  type Subscription,
} from '../../prisma/events/subscriptions.ts';
import type { EventDependencies } from './dependencies.ts';
import { subscriberUnknown } from '../failures.ts';
import { callSubscriber } from './call-subscriber.ts';
import { DeliveryError, PartialFailure, type Subscriber } from './subscribers/subscriber.ts';

/**
 * `full`: there is more. `moved`: there may be. `idle`: nothing to do until something happens. `gone`:
 * no such subscription.
 */
export type Batch =
  | { readonly kind: 'full' | 'moved' | 'idle' | 'gone' }
  /** Every event failed; so many were set aside. */
  | { readonly kind: 'refused'; readonly passed: number }
  /** There are events, and all too young: the next is old enough in so long. */
  | { readonly kind: 'early'; readonly dueInMs: number };

const IDLE: Batch = { kind: 'idle' };

/** Events that failed with their batch are tried on their own, this many at a time. */
const ALONE_AT_ONCE = 8;
/** How long the log may grow without an event for the subscription before its cursor follows. */
const FOLLOW_AFTER_MS = 60_000;

/**
 * `atMost`: fewer events than the subscriber's own batch. Throws what Temporal tries again when the
 * code of this process does not know the subscriber.
 */
export async function pumpOnce(
  deps: EventDependencies,
  name: string,
  atMost = Number.MAX_SAFE_INTEGER,
): Promise<Batch> {
  const subscription = await findSubscription(deps.db, name);
  if (!subscription) return { kind: 'gone' };
  const subscriber = await deps.subscriberOf(name);
  if (!subscriber) throw subscriberUnknown(name);
  if (subscription.paused) return IDLE;
  const read = {
    after: subscription.cursor,
    types: subscriber.types,
    limit: Math.min(subscriber.maxBatch, atMost),
  };
  const events = await readLog(deps.db, read);
  if (events.length === 0) return follow(deps, subscription, read);
  const { due, dueInMs } = claimBatch(events, subscriber, subscription);
  const last = due.at(-1);
  if (!last) return { kind: 'early', dueInMs };
  const failed = await deliver(subscriber, due);
  for (const { event, error } of failed) {
    await deps.startDelivery(deferToDelivery(subscriber, event, error));
  }
  // When somebody moved the cursor meanwhile, the next turn reads from where it stands now.
  await advanceCursor(deps.db, name, { from: subscription.cursor, to: last.cursor });
  if (failed.length === due.length) return { kind: 'refused', passed: due.length };
  return { kind: due.length === subscriber.maxBatch ? 'full' : 'moved' };
}

/**
 * What is old enough, up to the first event that is not: log order is not time order, and the cursor
 * passes whatever is left out before it. With a delay, a batch that is not full waits as long after
 * the one before, so that one batch comes per delay and not one per event.
 */
function claimBatch(
  events: readonly LoggedEvent[],
  { delayMs, maxBatch }: Subscriber,
  { updatedAt }: Subscription,
): { readonly due: readonly LoggedEvent[]; readonly dueInMs: number } {
  const nowMs = Date.now();
  const inMs = (time: string): number => Date.parse(time) + delayMs - nowMs;
  const young = events.findIndex(({ time }) => inMs(time) > 0);
  const old = young === -1 ? events : events.slice(0, young);
  const [first] = events;
  if (old.length < maxBatch && inMs(updatedAt) > 0) return { due: [], dueInMs: inMs(updatedAt) };
  return { due: old, dueInMs: first ? inMs(first.time) : 0 };
}

type Failed = PartialFailure['failed'];

/** Hands over the batch; if it fails, each event alone. Gives those that failed alone. */
async function deliver(subscriber: Subscriber, events: readonly LoggedEvent[]): Promise<Failed> {
  try {
    await callSubscriber(subscriber, events);
    return [];
  } catch (error) {
    if (error instanceof PartialFailure) return error.failed;
    const [only, another] = events;
    if (only && !another) return [{ event: only, error }];
    return deliverAlone(subscriber, events);
  }
}

async function deliverAlone(
  subscriber: Subscriber,
  events: readonly LoggedEvent[],
): Promise<Failed> {
  const failed: { event: LoggedEvent; error: unknown }[] = [];
  for (let at = 0; at < events.length; at += ALONE_AT_ONCE) {
    const group = events.slice(at, at + ALONE_AT_ONCE);
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

/** A failure for Temporal and the dead letters: a subscriber's own words, else only the kind. */
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

/** Nothing for this subscription: its cursor follows the log now and then, so that reads stay short. */
async function follow(
  { db }: EventDependencies,
  { name, cursor, updatedAt }: Subscription,
  read: LogQuery,
): Promise<Batch> {
  if (Date.parse(updatedAt) + FOLLOW_AFTER_MS > Date.now()) return IDLE;
  // In this order: whatever is below the end has been readable since before it was looked for.
  const end = await cursorNow(db);
  if ((await readLog(db, { ...read, limit: 1 })).length > 0) return { kind: 'moved' };
  await advanceCursor(db, name, { from: cursor, to: end });
  return IDLE;
}
