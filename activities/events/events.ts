/** The activities that carry events: the pump that runs for minutes, one more try, and the burial. */
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { deliveryWorkflowId } from '../../domain/ids.ts';
import { createWakeup } from '../../prisma/client/wakeup.ts';
import { pingDatabase } from '../../prisma/client/client.ts';
import { resolveDeadLetter, recordDeadLetter } from '../../prisma/events/dead-letters.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { findEvent } from '../../prisma/events/event-log.ts';
import { findSubscription } from '../../prisma/events/subscriptions.ts';
import type { EventActivities, PumpOutcome } from '../../workflows/activities.ts';
import type { EventDependencies } from './dependencies.ts';
import { subscriberUnknown } from '../failures.ts';
import { callSubscriber } from './call-subscriber.ts';
import { describeFailure, pumpOnce, type Batch } from './pump.ts';

/** A pump's turn. Then its workflow gives the next turn to whichever worker is free. */
const PUMP_MS = 10 * 60_000;
/** A lost notification costs this much delay. */
const POLL_MS = 1_000;
/** A turn costs its queries however few events it carries; under load this lets them gather. */
const TURN_EVERY_MS = 250;
/**
 * Each failure costs a workflow of three attempts. A subscriber that took nothing of its last batch is
 * offered this much of the log, and one event a second on the average, so that its failures take no
 * machine from the others; what it was not offered, it gets from the log once it is mended.
 */
const OFFERED_AFTER_REFUSAL = 5;
const REST_PER_REFUSED_EVENT_MS = 1_000;
const LONGEST_REST_MS = 5_000;
/** Sent on every 2 s (worker.ts): well below the heartbeat timeout of workflows/events/subscription.ts. */
const HEARTBEAT_MS = 1_000;

export function createEventActivities(deps: EventDependencies): EventActivities {
  return {
    pumpSubscription: ({ subscription }) => pump(deps, subscription),

    async deliverEvent({ subscription, eventId }) {
      const subscriber = await deps.subscriberOf(subscription);
      if (!subscriber && (await findSubscription(deps.db, subscription))) {
        throw subscriberUnknown(subscription);
      }
      const event = subscriber && (await findEvent(deps.db, eventId));
      if (!event) return { kind: 'gone' };
      try {
        await callSubscriber(subscriber, [event]);
      } catch (error) {
        // That our database is away is no failure of the subscriber: Temporal tries this again.
        if (isDatabaseUnavailable(error)) await pingDatabase(deps.db);
        return { kind: 'failed', ...describeFailure(error) };
      }
      const { orderId } = event;
      await deps.db.$transaction((tx) =>
        resolveDeadLetter(tx, { source: 'delivery', subject: subscription, orderId, eventId }),
      );
      return { kind: 'delivered' };
    },

    async deadLetterDelivery({ subscription, eventId, orderId, ...failed }) {
      const event = await findEvent(deps.db, eventId);
      await deps.db.$transaction((tx) =>
        recordDeadLetter(tx, {
          source: 'delivery',
          subject: subscription,
          orderId,
          eventId,
          message: {
            type: event?.type ?? 'unknown',
            workflow_id: deliveryWorkflowId(subscription, eventId),
            data: event?.data ?? {},
          },
          error: failed.error ?? 'unknown failure',
          retryCount: failed.attempts,
          firstFailedAt: failed.firstFailedAt ?? failed.lastFailedAt,
          lastFailedAt: failed.lastFailedAt,
        }),
      );
    },
  };
}

async function pump(deps: EventDependencies, name: string): Promise<PumpOutcome> {
  const context = Context.current();
  const stop = AbortSignal.any([context.cancellationSignal, deps.stopping]);
  const alive = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  const pending = createWakeup();
  const unsubscribe = deps.notifications.subscribe('holdfast_orders', pending.ring);
  stop.addEventListener('abort', pending.ring);
  const endsAtMs = Date.now() + PUMP_MS;
  let refusedLast = false;
  try {
    while (!stop.aborted && Date.now() < endsAtMs) {
      const beganAtMs = Date.now();
      const turn = await pumpOnce(deps, name, refusedLast ? OFFERED_AFTER_REFUSAL : undefined);
      if (turn.kind === 'gone') return { kind: 'gone' };
      if (turn.kind === 'idle') await pending.waitUntil(POLL_MS);
      else refusedLast = turn.kind === 'refused';
      await rest(restAfter(turn) - (Date.now() - beganAtMs), stop);
    }
    return { kind: 'again' };
  } finally {
    clearInterval(alive);
    stop.removeEventListener('abort', pending.ring);
    unsubscribe();
  }
}

/** How long after its beginning a turn may be followed by the next, in ms. */
function restAfter(turn: Batch): number {
  switch (turn.kind) {
    case 'full':
    case 'gone':
      return 0;
    case 'moved':
    case 'idle':
      return TURN_EVERY_MS;
    case 'early':
      // Whoever comes meanwhile is younger still.
      return Math.min(Math.max(turn.dueInMs, TURN_EVERY_MS), LONGEST_REST_MS);
    case 'refused':
      return Math.min(turn.passed * REST_PER_REFUSED_EVENT_MS, LONGEST_REST_MS);
  }
}

/** Ends early when the pump has to stop. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
