/** Delivers the warehouse's answers from the inbox to the waiting workflows. */
import type { Logger } from 'pino';
import { z } from 'zod';
import { shipmentCorrelationId } from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import {
  isAnswerDelivered,
  isLookUpRequested,
  markProcessed,
  type InboxMessage,
} from '../prisma/events/inbox.ts';
import type { ShipmentAnswered } from '../workflows/checkout/contract.ts';
import type { CheckoutClient } from '../temporal/checkout-client.ts';
import type { ShipmentCallback } from '../gateways/warehouse/callback.ts';
import type { SerialWork } from './serial-work.ts';

export interface ShipmentSignalDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly checkouts: CheckoutClient;
  /** Logs and counts a genuine message that is not understood. */
  readonly onNotUnderstood: (message: InboxMessage) => void;
  /** Messages about one order are compared with each other, so they are not processed side by side. */
  readonly serially: SerialWork;
}

/** The callback as an inbox message. */
export function inboxMessageOf(id: string, callback: ShipmentCallback): InboxMessage {
  const { orderId, correlationId, answer } = callback;
  const type = `shipment.${answer.kind}`;
  return { source: 'warehouse', id, type, orderId, payload: { correlationId, answer } };
}

/**
 * Signals the order's workflow and records the outcome. Returns false when Temporal is unavailable;
 * the message then stays in the inbox for the next recovery pass. Only the first answer to the order's
 * own request is signaled, so that a warehouse that floods us cannot fill the workflow's history.
 */
export function deliverShipmentSignal(
  deps: ShipmentSignalDeps,
  message: InboxMessage,
): Promise<boolean> {
  return deps.serially(message.orderId ?? message.id, () => deliver(deps, message));
}

async function deliver(deps: ShipmentSignalDeps, message: InboxMessage): Promise<boolean> {
  const { db, checkouts, log } = deps;
  const parsed = storedPayload.safeParse(message.payload);
  if (!parsed.success || message.orderId === null) return requestLookUp(deps, message);
  const answered: ShipmentAnswered = parsed.data;
  const { orderId } = message;
  if (answered.correlationId !== shipmentCorrelationId(orderId)) {
    await markProcessed(db, { ...message, ids: [message.id] }, 'other_request');
    log.warn({ order_id: orderId, message_id: message.id }, 'a callback names a request not ours');
    return true;
  }
  if (await isAnswerDelivered(db, { orderId, correlationId: answered.correlationId })) {
    await markProcessed(db, { ...message, ids: [message.id] }, 'repeated');
    return true;
  }
  const { kind } = await checkouts.shipmentAnswered(orderId, answered);
  if (kind === 'unavailable') return false;
  await markProcessed(db, { ...message, ids: [message.id] }, kind === 'closed' ? 'late' : kind);
  return true;
}

/**
 * A message that is not understood, and may answer a shipping request: the workflow looks the shipment
 * up at once, and asks a person when that does not settle it. Once per order, by the first of them.
 */
async function requestLookUp(
  { db, checkouts, onNotUnderstood }: ShipmentSignalDeps,
  message: InboxMessage,
): Promise<boolean> {
  const { orderId } = message;
  let outcome = 'not_understood';
  if (orderId !== null && !(await isLookUpRequested(db, orderId))) {
    const { kind } = await checkouts.lookUpShipment(orderId);
    if (kind === 'unavailable') return false;
    if (kind === 'delivered') outcome = 'looked_up';
  }
  await markProcessed(db, { ...message, ids: [message.id] }, outcome);
  onNotUnderstood(message);
  return true;
}

const storedPayload = z.object({
  correlationId: z.string(),
  answer: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('shipped'), carrier: z.string(), trackingNumber: z.string() }),
    z.object({ kind: z.literal('refused'), reason: z.string() }),
  ]),
});
