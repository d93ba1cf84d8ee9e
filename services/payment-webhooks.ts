/**
 * Compares the payment provider's webhooks with our records. It never moves money or changes an
 * order: the next step of the order looks the payment up itself. Webhooks arrive in any order, even
 * before the response to the call that caused them, so one that matches no record yet is classified
 * again for a while.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Database } from '../prisma/client/client.ts';
import {
  listUnprocessed,
  markProcessed,
  UNRECOGNIZED_TYPE,
  markTried,
  type InboxMessage,
} from '../prisma/events/inbox.ts';
import {
  findPaymentHistory,
  type OperationRecord,
  type PaymentHistory,
} from '../prisma/payments/payment-records.ts';
import { eachItem } from '../telemetry/items.ts';
import { itemLoop } from './items.ts';

export interface PaymentWebhookDeps {
  readonly db: Database;
  readonly log: Logger;
  /** Logs and counts a genuine message that is not understood. */
  readonly onNotUnderstood: (message: InboxMessage) => void;
}

/**
 * `confirmed`: our records agree. `requested`: we requested it and lost the response, which the next
 * lookup finds. `unexpected`: we did not request it (an expired authorization, a manual refund), so an
 * operator should check. `unknown_payment`: not a payment of ours. `ignored`: a type we do not use.
 * `not_understood`: a type we use, without what it should report.
 */
type Classification =
  'confirmed' | 'requested' | 'unexpected' | 'unknown_payment' | 'ignored' | 'not_understood';

/** By then our record is written, either from the provider's response or from a lookup. */
const FINAL_AFTER_MS = 60_000;

/** The operation that each Stripe event type reports (https://docs.stripe.com/api/events/types). */
const REPORTED_OPERATIONS: ReadonlyMap<string, OperationRecord> = new Map([
  ['payment_intent.amount_capturable_updated', { kind: 'authorize', state: 'succeeded' }],
  ['payment_intent.payment_failed', { kind: 'authorize', state: 'refused' }],
  ['payment_intent.succeeded', { kind: 'capture', state: 'succeeded' }],
  ['payment_intent.canceled', { kind: 'void', state: 'succeeded' }],
  ['charge.refunded', { kind: 'refund', state: 'succeeded' }],
]);

/** What we cannot have requested: a refund that failed after it was accepted, and disputes. */
const LOSSES: ReadonlySet<string> = new Set([
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.funds_withdrawn',
]);

/** Processes a new webhook. One that is not recorded yet stays open for `processPaymentWebhooks`. */
export async function processPaymentWebhook(
  deps: PaymentWebhookDeps,
  message: InboxMessage,
): Promise<void> {
  const classification = await classify(deps.db, message);
  if (classification === 'requested' || classification === 'unexpected') return;
  await close(deps, message, classification);
}

/** Processes the open webhooks. Closes those older than `finalAfterMs`, and returns their number. */
export async function processPaymentWebhooks(
  deps: PaymentWebhookDeps,
  limits: {
    readonly olderThanMs: number;
    readonly limit: number;
    readonly finalAfterMs?: number;
  },
): Promise<number> {
  const { limit, olderThanMs, finalAfterMs = FINAL_AFTER_MS } = limits;
  const source = 'payments';
  let closed = 0;
  const old = await listUnprocessed(deps.db, { source, limit, olderThanMs: finalAfterMs });
  await eachItem(old, itemLoop(deps, 'close_payment_webhooks', idOf), async (message) => {
    await markTried(deps.db, message);
    await close(deps, message, await classify(deps.db, message));
    closed += 1;
  });
  const young = await listUnprocessed(deps.db, { source, limit, olderThanMs });
  await eachItem(young, itemLoop(deps, 'payment_webhooks', idOf), async (message) => {
    await markTried(deps.db, message);
    await processPaymentWebhook(deps, message);
  });
  return closed;
}

function idOf({ id }: InboxMessage): string {
  return id;
}

async function classify(db: Database, message: InboxMessage): Promise<Classification> {
  if (message.type === UNRECOGNIZED_TYPE) return 'not_understood';
  const reported = REPORTED_OPERATIONS.get(message.type);
  if (reported === undefined && !LOSSES.has(message.type)) return 'ignored';
  const payload = storedPayload.safeParse(message.payload);
  if (!payload.success) return 'not_understood';
  const { reference, refundedMinor } = payload.data;
  const history = await findPaymentHistory(db, { orderId: message.orderId, reference });
  if (history === null) return 'unknown_payment';
  if (reported === undefined || isOtherPayment(history, message, reference)) return 'unexpected';
  if (reported.kind === 'refund' && typeof refundedMinor === 'number') {
    return classifyRefund(history, refundedMinor);
  }
  const isRecorded = (state: OperationRecord['state']): boolean =>
    history.operations.some((each) => each.kind === reported.kind && each.state === state);
  if (isRecorded(reported.state)) return 'confirmed';
  const contradicted = isRecorded(reported.state === 'succeeded' ? 'refused' : 'succeeded');
  return isRecorded('requested') && !contradicted ? 'requested' : 'unexpected';
}

/** The webhook reports the sum of all refunds, so it is compared with the sum of our records. */
function classifyRefund(history: PaymentHistory, totalMinor: number): Classification {
  if (totalMinor <= history.refundedMinor) return 'confirmed';
  return totalMinor <= history.refundedMinor + history.refundingMinor ? 'requested' : 'unexpected';
}

/** True for a second payment of the order, or a payment that names another order. */
function isOtherPayment(
  history: PaymentHistory,
  message: InboxMessage,
  reference: string | null,
): boolean {
  const { orderId, providerReference } = history;
  if (message.orderId !== null && message.orderId !== orderId) return true;
  return reference !== null && providerReference !== null && reference !== providerReference;
}

async function close(
  { db, log, onNotUnderstood }: PaymentWebhookDeps,
  message: InboxMessage,
  classification: Classification,
) {
  await markProcessed(db, message, classification);
  if (classification === 'not_understood') onNotUnderstood(message);
  if (classification !== 'unexpected') return;
  const { id, type, orderId, payload } = message;
  log.warn(
    { webhook_id: id, type, order_id: orderId, reference: payload['reference'] },
    'the payment provider reports an operation that was not requested',
  );
}

const storedPayload = z.object({
  reference: z.string().nullable(),
  refundedMinor: z.int().nullish(),
});
