/** Delivers the warehouse's answers from the inbox to the waiting workflows. */
import { z } from 'zod';
import type { Database } from '../prisma/client/client.ts';
import { isAnswerDelivered, markProcessed, type InboxMessage } from '../prisma/events/inbox.ts';
import type { ShipmentAnswered } from '../workflows/checkout/contract.ts';
import type { CheckoutClient } from '../temporal/checkout-client.ts';
import type { ShipmentCallback } from '../gateways/warehouse/callback.ts';

export interface ShipmentSignalDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
}

/** The callback as an inbox message. */
export function inboxMessageOf(id: string, callback: ShipmentCallback): InboxMessage {
  const { orderId, correlationId, answer } = callback;
  const type = `shipment.${answer.kind}`;
  return { source: 'warehouse', id, type, orderId, payload: { correlationId, answer } };
}

/**
 * Signals the order's workflow and records the outcome. Returns false when Temporal is unavailable;
 * the message then stays in the inbox for the next recovery pass. Only the first answer to a request
 * is signaled, so that a warehouse that floods us cannot fill the workflow's history.
 */
export async function deliverShipmentSignal(
  { db, checkouts }: ShipmentSignalDeps,
  message: InboxMessage,
): Promise<boolean> {
  const parsed = storedPayload.safeParse(message.payload);
  if (!parsed.success || message.orderId === null) {
    await markProcessed(db, message, 'not_understood');
    return true;
  }
  const answered: ShipmentAnswered = parsed.data;
  const { orderId } = message;
  if (await isAnswerDelivered(db, { orderId, correlationId: answered.correlationId })) {
    await markProcessed(db, message, 'repeated');
    return true;
  }
  const { kind } = await checkouts.shipmentAnswered(orderId, answered);
  if (kind === 'unavailable') return false;
  await markProcessed(db, message, kind === 'delivered' ? 'delivered' : 'late');
  return true;
}

const storedPayload = z.object({
  correlationId: z.string(),
  answer: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('shipped'), carrier: z.string(), trackingNumber: z.string() }),
    z.object({ kind: z.literal('refused'), reason: z.string() }),
  ]),
});
