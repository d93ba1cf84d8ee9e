/** Retries the delivery of one event to one subscriber, then records a dead letter. */
import { proxyActivities, sleep } from '@temporalio/workflow';
import type { EventActivities } from '../activities.ts';
import type { DeliveryInput, DeliveryResult } from './contract.ts';

const { deliverEvent, deadLetterDelivery } = proxyActivities<
  Pick<EventActivities, 'deliverEvent' | 'deadLetterDelivery'>
>({
  // Above every subscriber's own deadline. A failed delivery is a result; only a lost worker or an
  // unavailable database repeats the activity itself.
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/** Spreads deliveries that failed together: each wait is up to this much longer. */
const JITTER = 0.05;

export async function delivery(input: DeliveryInput): Promise<DeliveryResult> {
  const { subscription, eventId } = input;
  let { attempts, error, firstFailedAt } = input;
  let lastFailedAt = firstFailedAt;
  let notBeforeMs = 0;
  for (const delayMs of input.delaysMs) {
    const waitMs = Math.max(delayMs, notBeforeMs) * (1 + Math.random() * JITTER);
    if (waitMs >= 1) await sleep(waitMs, { summary: `Wait before attempt ${attempts + 1}` });
    const outcome = await deliverEvent({ subscription, eventId });
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
  await deadLetterDelivery({ ...input, attempts, error, firstFailedAt, lastFailedAt: failedAt });
  return { status: 'dead', attempts };
}
