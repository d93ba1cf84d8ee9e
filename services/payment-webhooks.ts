/**
 * Compares the payment provider's webhooks with our records. It never moves money or changes an
 * order: the next step of the order looks the payment up itself. Webhooks arrive in any order, even
 * before the response to the call that caused them. So they are only stored when they arrive, and
 * compared some seconds later, many at once; one that matches no record yet is compared again for a while.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { OrderId } from '../domain/ids.ts';
import type { Database } from '../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../prisma/client/errors.ts';
import {
  listUnprocessed,
  markProcessed,
  UNRECOGNIZED_TYPE,
  markTried,
  type InboxMessage,
} from '../prisma/events/inbox.ts';
import {
  loadPaymentHistories,
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

/**
 * Processes the open webhooks, many at once. One that matches no record yet stays open until it is older
 * than `finalAfterMs`. Returns the number of those that were closed then.
 */
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
  const old = await listUnprocessed(deps.db, { source, limit, olderThanMs: finalAfterMs });
  const closed = await processAll(deps, old, { isFinal: true });
  const young = await listUnprocessed(deps.db, { source, limit, olderThanMs });
  await processAll(deps, young, { isFinal: false });
  return closed;
}

interface Processing {
  /** Our record would be written by now. */
  readonly isFinal: boolean;
}

/** All at once; if that fails, each alone. Returns how many were closed. */
async function processAll(
  deps: PaymentWebhookDeps,
  messages: readonly InboxMessage[],
  how: Processing,
): Promise<number> {
  if (messages.length === 0) return 0;
  try {
    return await processBatch(deps, messages, how);
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error;
  }
  let closed = 0;
  await eachItem(messages, itemLoop(deps, 'payment_webhooks', idOf), async (message) => {
    closed += await processBatch(deps, [message], how);
  });
  return closed;
}

async function processBatch(
  deps: PaymentWebhookDeps,
  messages: readonly InboxMessage[],
  { isFinal }: Processing,
): Promise<number> {
  const { db } = deps;
  await markTried(db, 'payments', messages.map(idOf));
  const read = messages.map((message) => ({ message, named: namedBy(message) }));
  const findHistory = await loadPaymentHistories(
    db,
    read.flatMap(({ named }) => named ?? []),
  );
  const closing = read.flatMap(({ message, named }) => {
    const classification = classify(message, named, named && findHistory(named));
    const isOpen = classification === 'requested' || classification === 'unexpected';
    return isFinal || !isOpen ? [{ message, classification }] : [];
  });
  for (const outcome of new Set(closing.map(({ classification }) => classification))) {
    const those = closing.filter(({ classification }) => classification === outcome);
    const ids = those.map(({ message }) => message.id);
    await markProcessed(db, { source: 'payments', ids }, outcome);
  }
  // After all are recorded: if one of the statements fails, each is processed again alone.
  for (const { message, classification } of closing) report(deps, message, classification);
  return closing.length;
}

function idOf({ id }: InboxMessage): string {
  return id;
}

/** The payment a webhook is about. Null: it does not say, or its type is not used. */
interface Named {
  readonly orderId: OrderId | null;
  readonly reference: string | null;
  readonly refundedMinor: number | null;
}

function namedBy({ type, orderId, payload }: InboxMessage): Named | null {
  if (!REPORTED_OPERATIONS.has(type) && !LOSSES.has(type)) return null;
  const parsed = storedPayload.safeParse(payload);
  if (!parsed.success) return null;
  const { reference, refundedMinor = null } = parsed.data;
  return { orderId, reference, refundedMinor };
}

function classify(
  { type }: InboxMessage,
  named: Named | null,
  history: PaymentHistory | null,
): Classification {
  const reported = REPORTED_OPERATIONS.get(type);
  if (named === null) {
    const isUsed = type === UNRECOGNIZED_TYPE || reported !== undefined || LOSSES.has(type);
    return isUsed ? 'not_understood' : 'ignored';
  }
  if (history === null) return 'unknown_payment';
  if (reported === undefined || isOtherPayment(history, named)) return 'unexpected';
  if (reported.kind === 'refund' && named.refundedMinor !== null) {
    return classifyRefund(history, named.refundedMinor);
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
function isOtherPayment(history: PaymentHistory, named: Named): boolean {
  const { orderId, providerReference } = history;
  if (named.orderId !== null && named.orderId !== orderId) return true;
  const { reference } = named;
  return reference !== null && providerReference !== null && reference !== providerReference;
}

/** Tells operators of what they should check. */
function report(
  { log, onNotUnderstood }: PaymentWebhookDeps,
  message: InboxMessage,
  classification: Classification,
): void {
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
