/** The activities that carry events: the pump that runs for minutes, one more try, and the burial. */
import { Context } from '@temporalio/activity';
import { deliveryWorkflowId } from '../domain/ids.ts';
import { createBell } from '../prisma/bell.ts';
import { resolveDeadLetter, writeDeadLetter } from '../prisma/dead-letters.ts';
import { findEvent } from '../prisma/event-log.ts';
import type { EventActivities, PumpOutcome } from './contract.ts';
import type { EventDependencies } from './event-dependencies.ts';
import { handOver } from './hand-over.ts';
import { describeFailure, pumpOnce } from './pump.ts';

/** A pump's turn. Then its workflow gives the next turn to whichever worker is free. */
const PUMP_MS = 10 * 60_000;
/** A lost notification costs this much delay. */
const POLL_MS = 1_000;
/** Well below the heartbeat timeout of workflows/subscription.ts. */
const HEARTBEAT_MS = 1_000;

export function createEventActivities(deps: EventDependencies): EventActivities {
  return {
    pumpSubscription: ({ subscription }) => pump(deps, subscription),

    async deliverEvent({ subscription, eventId }) {
      const subscriber = await deps.subscriberOf(subscription);
      const event = subscriber && (await findEvent(deps.db, eventId));
      if (!event) return { kind: 'gone' };
      try {
        await handOver(subscriber, [event]);
      } catch (error) {
        return { kind: 'failed', ...describeFailure(error) };
      }
      const { orderId } = event;
      await deps.db.$transaction((tx) =>
        resolveDeadLetter(tx, { source: 'delivery', subject: subscription, orderId, eventId }),
      );
      return { kind: 'delivered' };
    },

    async buryDelivery({ subscription, eventId, orderId, ...failed }) {
      const event = await findEvent(deps.db, eventId);
      await deps.db.$transaction((tx) =>
        writeDeadLetter(tx, {
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
  const news = createBell();
  const unsubscribe = deps.notifications.subscribe('holdfast_orders', news.ring);
  stop.addEventListener('abort', news.ring);
  const endsAtMs = Date.now() + PUMP_MS;
  try {
    while (!stop.aborted && Date.now() < endsAtMs) {
      const turn = await pumpOnce(deps, name);
      if (turn === 'gone') return { kind: 'gone' };
      if (turn === 'idle') await news.heardWithin(POLL_MS);
    }
    return { kind: 'again' };
  } finally {
    clearInterval(alive);
    stop.removeEventListener('abort', news.ring);
    unsubscribe();
  }
}
