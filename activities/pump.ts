/**
 * One turn of a subscription's pump: read after the cursor, hand over, move on. An event that fails
 * alone gets a workflow of its own before the cursor passes it, so it is never forgotten and never
 * waited for.
 */
import type { LoggedEvent } from '../prisma/event-log.ts';
import { cursorNow, readLog, splitCursor, type LogCursor } from '../prisma/event-log.ts';
import { advanceCursor, findSubscription, type Subscription } from '../prisma/subscriptions.ts';
import type { EventDependencies } from './event-dependencies.ts';
import { handOver } from './hand-over.ts';
import { DeliveryError, PartialFailure, type Subscriber } from './subscribers/subscriber.ts';

export interface Turn {
  /**
   * `full`: there is more. `moved`: there may be. `refused`: every event failed. `idle`: nothing to
   * do until something happens. `gone`: no such subscription.
   */
  readonly kind: 'full' | 'moved' | 'refused' | 'idle' | 'gone';
  /** Events that were handed over or set aside. */
  readonly passed: number;
}

const IDLE: Turn = { kind: 'idle', passed: 0 };
const GONE: Turn = { kind: 'gone', passed: 0 };

/** Events that failed with their batch are tried on their own, this many at a time. */
const ALONE_AT_ONCE = 8;
/** How far the log may grow without an event for the subscription before its cursor follows. */
const FOLLOW_AFTER_TRANSACTIONS = 1_000n;

export async function pumpOnce(deps: EventDependencies, name: string): Promise<Turn> {
  const subscription = await findSubscription(deps.db, name);
  const subscriber = subscription && (await deps.subscriberOf(name));
  if (!subscriber) return GONE;
  if (subscription.paused) return IDLE;
  const end = await cursorNow(deps.db);
  const events = await readLog(deps.db, {
    after: subscription.cursor,
    types: subscriber.types,
    limit: subscriber.maxBatch,
  });
  if (events.length === 0) return follow(deps, subscription, end);
  const due = takeDue(events, subscriber, subscription);
  const last = due.at(-1);
  if (!last) return IDLE;
  const failed = await deliver(subscriber, due);
  for (const { event, error } of failed) {
    await deps.startDelivery(failedOnce(subscriber, event, error));
  }
  // When somebody moved the cursor meanwhile, the next turn reads from where it stands now.
  await advanceCursor(deps.db, name, { from: subscription.cursor, to: last.cursor });
  return { kind: kindOf(subscriber, due, failed), passed: due.length };
}

function kindOf(
  { maxBatch }: Subscriber,
  due: readonly LoggedEvent[],
  failed: Failed,
): Turn['kind'] {
  if (failed.length === due.length) return 'refused';
  return due.length === maxBatch ? 'full' : 'moved';
}

/**
 * What is old enough, up to the first event that is not: log order is not time order, and the cursor
 * passes whatever is left out before it. With a delay, a batch that is not full waits as long after
 * the one before, so that one batch comes per delay and not one per event.
 */
function takeDue(
  events: readonly LoggedEvent[],
  { delayMs, maxBatch }: Subscriber,
  { updatedAt }: Subscription,
): readonly LoggedEvent[] {
  const nowMs = Date.now();
  const young = events.findIndex((event) => Date.parse(event.time) + delayMs > nowMs);
  const due = young === -1 ? events : events.slice(0, young);
  return due.length < maxBatch && Date.parse(updatedAt) + delayMs > nowMs ? [] : due;
}

type Failed = PartialFailure['failed'];

/** Hands over the batch; if it fails, each event alone. Gives those that failed alone. */
async function deliver(subscriber: Subscriber, events: readonly LoggedEvent[]): Promise<Failed> {
  try {
    await handOver(subscriber, events);
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
    const results = await Promise.allSettled(group.map((event) => handOver(subscriber, [event])));
    for (const [index, result] of results.entries()) {
      const event = group[index];
      if (event && result.status === 'rejected') failed.push({ event, error: result.reason });
    }
  }
  return failed;
}

function failedOnce({ name, retryDelaysMs }: Subscriber, event: LoggedEvent, error: unknown) {
  const failure = describeFailure(error);
  const [first = 0, ...later] = retryDelaysMs;
  const delaysMs = [Math.max(first, failure.retryAfterMs ?? 0), ...later];
  return {
    subscription: name,
    eventId: event.id,
    orderId: event.orderId,
    attempts: 1,
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
} {
  if (error instanceof DeliveryError) {
    return { error: error.message, retryAfterMs: error.retryAfterMs, final: error.final };
  }
  const kind = error instanceof Error ? error.name : typeof error;
  return { error: `unexpected ${kind}`, retryAfterMs: null, final: false };
}

/** Nothing for this subscription: its cursor follows the log now and then, so that reads stay short. */
async function follow(
  { db }: EventDependencies,
  { name, cursor }: Subscription,
  end: LogCursor,
): Promise<Turn> {
  const grown = BigInt(splitCursor(end).xid) - BigInt(splitCursor(cursor).xid);
  if (grown > FOLLOW_AFTER_TRANSACTIONS) await advanceCursor(db, name, { from: cursor, to: end });
  return IDLE;
}
