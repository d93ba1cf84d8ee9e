/** Retries the delivery of one event to one subscriber, then records a dead letter. */
import {
  isCancellation,
  proxyActivities,
  sleep,
  TemporalFailure,
  type ActivityOptions,
} from '@temporalio/workflow';
import { deliveryWorkflowId } from '../../domain/ids.ts';
import type { DeliverOutcome, EventActivities } from '../activities.ts';
import { failureSummary } from '../failure-summary.ts';
import { retryBriefly } from '../failure-type.ts';
import { requireInput, takesUndecoded } from '../inputs.ts';
import { deliveryInput } from './inputs.ts';
import type { DeliveryInput, DeliveryResult } from './contract.ts';

// Above every subscriber's own deadline. A failed delivery is a result; only a lost worker or an
// unavailable database repeats the activity itself.
const OPTIONS: ActivityOptions = {
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
};
const { deliverEvent } = proxyActivities<Pick<EventActivities, 'deliverEvent'>>({
  ...OPTIONS,
  scheduleToCloseTimeout: '1 day',
});
const { deadLetterDelivery } = proxyActivities<Pick<EventActivities, 'deadLetterDelivery'>>({
  ...OPTIONS,
  scheduleToCloseTimeout: '30 days',
});

/** Spreads deliveries that failed together: each wait is up to this much longer. */
const JITTER = 0.05;

takesUndecoded(delivery);

export async function delivery(given: DeliveryInput): Promise<DeliveryResult> {
  const input = requireInput(deliveryInput, given, (each) =>
    deliveryWorkflowId(each.subscription, each.eventId),
  );
  const { subscription, eventId } = input;
  let { attempts, error, firstFailedAt } = input;
  let lastFailedAt = firstFailedAt;
  let notBeforeMs = 0;
  for (const delayMs of input.delaysMs) {
    const waitMs = Math.max(delayMs, notBeforeMs) * (1 + Math.random() * JITTER);
    if (waitMs >= 1) await sleep(waitMs, { summary: `Wait before attempt ${attempts + 1}` });
    const outcome = await attempt({ subscription, eventId });
    if (outcome.kind === 'gone') return { status: 'gone', attempts };
    if (outcome.kind === 'delivered') return { status: 'delivered', attempts: attempts + 1 };
    if (outcome.attempted) attempts += 1;
    error = outcome.error;
    lastFailedAt = new Date().toISOString();
    firstFailedAt ??= lastFailedAt;
    notBeforeMs = outcome.retryAfterMs ?? 0;
    if (outcome.final) break;
  }
  const failedAt = lastFailedAt ?? new Date().toISOString();
  const failed = { ...input, attempts, error, firstFailedAt, lastFailedAt: failedAt };
  await retryBriefly(() => deadLetterDelivery(failed));
  return { status: 'dead', attempts };
}

/** An attempt that could not be made counts as a failed one: its schedule ends, and a retry need not. */
async function attempt(input: DeliveryRef): Promise<DeliverOutcome> {
  try {
    return await deliverEvent(input);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    const failure = failureSummary(error);
    return { kind: 'failed', error: failure, retryAfterMs: null, final: false, attempted: false };
  }
}

type DeliveryRef = Parameters<EventActivities['deliverEvent']>[0];
