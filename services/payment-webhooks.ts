/**
 * Compares what the payment provider tells us with our own books. It never moves money and changes
 * no order: what the provider did is looked up by whoever acts on it next. Notices come in any order,
 * also before the answer they belong to; so one our books do not know yet is judged again, for a while.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Database } from '../prisma/client/client.ts';
import { listUnprocessed, markProcessed, type InboxMessage } from '../prisma/events/inbox.ts';
import {
  findPaymentHistory,
  type OperationRecord,
  type PaymentHistory,
} from '../prisma/payments/payment-records.ts';

export interface PaymentWebhookDeps {
  readonly db: Database;
  readonly log: Logger;
}

/**
 * `confirmed`: our books say the same. `asked_for`: we asked for it, and its answer was lost; the
 * next look-up finds it. `unexpected`: nobody here asked for it (an authorization that expired, a
 * refund made by hand): somebody should look. `ignored`: a type we do not act on.
 */
type Classification = 'confirmed' | 'asked_for' | 'unexpected' | 'not_ours' | 'ignored';

/** Our own answer is in the books within seconds, or somebody looks it up within this. */
const FINAL_AFTER_MS = 60_000;

/** What each type of Stripe's events says was done (https://docs.stripe.com/api/events/types). */
const MEANINGS: ReadonlyMap<string, OperationRecord> = new Map([
  ['payment_intent.amount_capturable_updated', { kind: 'authorize', state: 'succeeded' }],
  ['payment_intent.payment_failed', { kind: 'authorize', state: 'refused' }],
  ['payment_intent.succeeded', { kind: 'capture', state: 'succeeded' }],
  ['payment_intent.canceled', { kind: 'void', state: 'succeeded' }],
  ['charge.refunded', { kind: 'refund', state: 'succeeded' }],
]);

/** Judges a notice that just came. One the books do not know yet stays for `processPaymentWebhooks`. */
export async function processPaymentWebhook(
  deps: PaymentWebhookDeps,
  message: InboxMessage,
): Promise<void> {
  const classification = await classify(deps.db, message);
  if (classification !== 'asked_for' && classification !== 'unexpected')
    await close(deps, message, classification);
}

/** Judges the notices that stayed; for good those older than `finalAfterMs`. Returns how many. */
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
  for (const message of old) await close(deps, message, await classify(deps.db, message));
  const young = await listUnprocessed(deps.db, { source, limit, olderThanMs });
  for (const message of young) await processPaymentWebhook(deps, message);
  return old.length;
}

async function classify(db: Database, message: InboxMessage): Promise<Classification> {
  const told = MEANINGS.get(message.type);
  if (told === undefined) return 'ignored';
  const { reference, refundedMinor } = storedPayload.parse(message.payload);
  const history = await findPaymentHistory(db, { orderId: message.orderId, reference });
  if (history === null) return 'not_ours';
  if (isAnother(history, message, reference)) return 'unexpected';
  if (told.kind === 'refund' && refundedMinor !== undefined) return refunds(history, refundedMinor);
  const booked = (state: OperationRecord['state']): boolean =>
    history.operations.some((each) => each.kind === told.kind && each.state === state);
  if (booked(told.state)) return 'confirmed';
  const contradicted = booked(told.state === 'succeeded' ? 'refused' : 'succeeded');
  return booked('requested') && !contradicted ? 'asked_for' : 'unexpected';
}

/** Parts add up, and a notice tells the sum: it has to be one that our books come to. */
function refunds(history: PaymentHistory, toldMinor: number): Classification {
  if (toldMinor <= history.refundedMinor) return 'confirmed';
  return toldMinor <= history.refundedMinor + history.refundingMinor ? 'asked_for' : 'unexpected';
}

/** True for a second intent of an order, or an intent that names another order than ours. */
function isAnother(
  history: PaymentHistory,
  message: InboxMessage,
  reference: string | null,
): boolean {
  const { orderId, providerReference } = history;
  if (message.orderId !== null && message.orderId !== orderId) return true;
  return reference !== null && providerReference !== null && reference !== providerReference;
}

async function close(
  { db, log }: PaymentWebhookDeps,
  message: InboxMessage,
  classification: Classification,
) {
  await markProcessed(db, message, classification);
  if (classification !== 'unexpected') return;
  const { id, type, orderId, payload } = message;
  log.warn(
    { notice_id: id, type, order_id: orderId, reference: payload['reference'] },
    'the payment provider tells of something nobody here asked for',
  );
}

const storedPayload = z.object({
  reference: z.string().nullable(),
  refundedMinor: z.int().optional(),
});
