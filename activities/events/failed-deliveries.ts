/** Dead letters of deliveries that failed for good: found by the pump, or by a delivery workflow. */
import type { Delivery } from '../../domain/delivery.ts';
import { deliveryWorkflowId } from '../../domain/ids.ts';
import { webhookEndpointOf } from '../../domain/webhook.ts';
import type { Database, Transaction } from '../../prisma/client/client.ts';
import { recordDeadLetter } from '../../prisma/events/dead-letters.ts';
import { findEventToKeep } from '../../prisma/events/event-log.ts';
import { lockEndpoint } from '../../prisma/events/webhook-wanted-types.ts';

interface FailedDelivery extends Pick<
  Delivery,
  'subscription' | 'eventId' | 'orderId' | 'attempts' | 'error' | 'firstFailedAt'
> {
  /** Left out: the first failure was the last one. */
  readonly lastFailedAt?: string;
}

/** Records each as a dead letter, in one transaction; none of a webhook endpoint that was deleted. */
export async function recordDeliveriesFailed(
  db: Database,
  failed: readonly FailedDelivery[],
): Promise<void> {
  const [first] = failed;
  if (!first) return;
  const endpointId = webhookEndpointOf(first.subscription);
  await db.$transaction(async (tx) => {
    if (endpointId !== null && !(await lockEndpoint(tx, endpointId))) return;
    for (const each of failed) await record(tx, each);
  });
}

async function record(tx: Transaction, failed: FailedDelivery): Promise<void> {
  const { subscription, eventId, orderId, firstFailedAt } = failed;
  // As the log has it now: the order may have been erased since the event was read.
  const event = await findEventToKeep(tx, eventId);
  const workflow = { workflow_id: deliveryWorkflowId(subscription, eventId) };
  const lastFailedAt = failed.lastFailedAt ?? firstFailedAt;
  await recordDeadLetter(tx, {
    source: 'delivery',
    subject: subscription,
    orderId,
    eventId,
    message: event ? { ...workflow, type: event.type, data: event.data } : workflow,
    error: failed.error ?? 'unknown failure',
    retryCount: failed.attempts,
    firstFailedAt: firstFailedAt ?? lastFailedAt,
    lastFailedAt,
  });
}
