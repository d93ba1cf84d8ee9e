/** The activities of event delivery: the pump, a single delivery, and the dead letter. */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { createWakeup } from '../../prisma/client/wakeup.ts';
import { pingDatabase } from '../../prisma/client/client.ts';
import { resolveDeadLetter } from '../../prisma/events/dead-letters.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { findEvent } from '../../prisma/events/event-log.ts';
import { findSubscription } from '../../prisma/events/subscriptions.ts';
import type { EventActivities, PumpOutcome } from '../../workflows/activities.ts';
import type { EventDependencies } from './dependencies.ts';
import { subscriberUnknown } from '../failures.ts';
import { guarded } from '../guarded.ts';
import { callSubscriber } from './call-subscriber.ts';
import { recordDeliveriesFailed } from './failed-deliveries.ts';
import { describeFailure, pumpOnce, type Batch } from './pump.ts';

/** How long one pump runs. Its workflow then starts the next one on any free worker. */
const PUMP_MS = 10 * 60_000;
/** A lost notification costs this much delay. */
const POLL_MS = 1_000;
/** A batch costs its queries however small it is; under load this interval makes batches larger. */
const BATCH_EVERY_MS = 500;
/**
 * Each failed event costs a workflow of three attempts. A subscriber that failed its whole last batch
 * gets small batches, one event a second on average, so that it does not slow down the others. It
 * reads the remaining events from the log once it works again.
 */
const BATCH_AFTER_FAILURE = 5;
const PAUSE_PER_FAILED_EVENT_MS = 1_000;
const MAX_PAUSE_MS = 5_000;
/** Sent on every 2 s (worker.ts): well below the heartbeat timeout of workflows/events/subscription.ts. */
const HEARTBEAT_MS = 1_000;

export function createEventActivities(deps: EventDependencies): EventActivities {
  return guarded<EventActivities>({
    pumpSubscription: ({ subscription }) => pump(deps, subscription),

    async deliverEvent({ subscription, eventId }) {
      const subscriber = await deps.subscriberOf(subscription);
      if (!subscriber && (await findSubscription(deps.db, subscription))) {
        throw subscriberUnknown(subscription);
      }
      if (!subscriber) return { kind: 'gone' };
      const event = await findEvent(deps.db, eventId);
      if (!event) return NOT_KEPT;
      try {
        await callSubscriber(subscriber, [event]);
      } catch (error) {
        // An unavailable database is no failure of the subscriber: Temporal retries the activity.
        if (isDatabaseUnavailable(error)) await pingDatabase(deps.db);
        return { kind: 'failed', ...describeFailure(error) };
      }
      const { orderId } = event;
      await deps.db.$transaction((tx) =>
        resolveDeadLetter(tx, { source: 'delivery', subject: subscription, orderId, eventId }),
      );
      return { kind: 'delivered' };
    },

    async deadLetterDelivery({ delaysMs: _done, ...failed }) {
      await recordDeliveriesFailed(deps.db, [failed]);
    },
  });
}

/** Retention deleted the event: a redrive would find nothing to send. */
const NOT_KEPT = {
  kind: 'failed',
  error: 'the event is not kept any more',
  retryAfterMs: null,
  final: true,
  attempted: false,
} as const;

async function pump(deps: EventDependencies, name: string): Promise<PumpOutcome> {
  const context = Context.current();
  const stop = AbortSignal.any([context.cancellationSignal, deps.stopping]);
  const alive = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  const pending = createWakeup();
  const unsubscribe = deps.notifications.subscribe('holdfast_orders', pending.signal);
  stop.addEventListener('abort', pending.signal);
  const endsAtMs = Date.now() + PUMP_MS;
  let failedLast = false;
  try {
    while (!stop.aborted && Date.now() < endsAtMs) {
      const startedAtMs = Date.now();
      const batch = await pumpOnce(deps, name, failedLast ? BATCH_AFTER_FAILURE : undefined);
      if (batch.kind === 'gone') return { kind: 'gone' };
      if (batch.kind === 'idle') await pending.waitUntil(POLL_MS);
      else failedLast = batch.kind === 'failed';
      await pause(pauseAfter(batch) - (Date.now() - startedAtMs), stop);
    }
    return { kind: 'again' };
  } finally {
    clearInterval(alive);
    stop.removeEventListener('abort', pending.signal);
    unsubscribe();
  }
}

/** The time from the start of this batch to the start of the next, in ms. */
function pauseAfter(batch: Batch): number {
  switch (batch.kind) {
    case 'full':
    case 'gone':
      return 0;
    case 'partial':
    case 'idle':
      return BATCH_EVERY_MS;
    case 'early':
      // Every later event is due later still.
      return Math.min(Math.max(batch.dueInMs, BATCH_EVERY_MS), MAX_PAUSE_MS);
    case 'failed':
      return Math.min(batch.deferred * PAUSE_PER_FAILED_EVENT_MS, MAX_PAUSE_MS);
  }
}

/** Ends early when the pump has to end. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
