/**
 * What a webhook without a handler says, compared with our records: an operation of ours, or one that
 * was not requested here.
 */
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { UNRECOGNIZED_TYPE, type InboxMessage } from '../../prisma/events/inbox.ts';
import type { OperationRecord, PaymentHistory } from '../../prisma/payments/payment-records.ts';

/**
 * `confirmed`: our records agree. `requested`: we requested it and lost the response, which the next
 * lookup finds. `unexpected`: we did not request it (an expired authorization, a manual refund), so an
 * operator should check. `unknown_payment`: not a payment of ours. `ignored`: a type we do not use.
 * `not_understood`: a type we use, without what it should report.
 */
export type Classification =
  'confirmed' | 'requested' | 'unexpected' | 'unknown_payment' | 'ignored' | 'not_understood';

/** The operation that each Stripe event type reports (https://docs.stripe.com/api/events/types). */
const REPORTED_OPERATIONS: ReadonlyMap<string, OperationRecord> = new Map([
  ['payment_intent.amount_capturable_updated', { kind: 'authorize', state: 'succeeded' }],
  ['payment_intent.payment_failed', { kind: 'authorize', state: 'refused' }],
  ['payment_intent.succeeded', { kind: 'capture', state: 'succeeded' }],
  ['payment_intent.canceled', { kind: 'void', state: 'succeeded' }],
  ['charge.refunded', { kind: 'refund', state: 'succeeded' }],
]);

/** What we cannot have requested: a refund that failed after it was accepted. */
const LOSSES: ReadonlySet<string> = new Set(['refund.failed']);

/** The payment a webhook is about. Null: it does not say, or its type is not used. */
export interface NamedPayment {
  readonly orderId: OrderId | null;
  readonly reference: string | null;
  readonly refundedMinor: number | null;
}

export function namedBy({ type, orderId, payload }: InboxMessage): NamedPayment | null {
  if (!REPORTED_OPERATIONS.has(type) && !LOSSES.has(type)) return null;
  const parsed = storedPayload.safeParse(payload);
  if (!parsed.success) return null;
  const { reference, refundedMinor = null } = parsed.data;
  return { orderId, reference, refundedMinor };
}

export function classify(
  { type }: InboxMessage,
  named: NamedPayment | null,
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
  // It ended a payment that was never authorized.
  if (reported.kind === 'void' && isRecorded('refused')) return 'confirmed';
  const contradicted = isRecorded(reported.state === 'succeeded' ? 'refused' : 'succeeded');
  return isRecorded('requested') && !contradicted ? 'requested' : 'unexpected';
}

/** The webhook reports the sum of all refunds, so it is compared with the sum of our records. */
function classifyRefund(history: PaymentHistory, totalMinor: number): Classification {
  if (totalMinor <= history.refundedMinor) return 'confirmed';
  return totalMinor <= history.refundedMinor + history.refundingMinor ? 'requested' : 'unexpected';
}

/** True for a second payment of the order, or a payment that names another order. */
function isOtherPayment(history: PaymentHistory, named: NamedPayment): boolean {
  const { orderId, providerReference } = history;
  if (named.orderId !== null && named.orderId !== orderId) return true;
  const { reference } = named;
  return reference !== null && providerReference !== null && reference !== providerReference;
}

const storedPayload = z.object({
  reference: z.string().nullable(),
  refundedMinor: z.int().nullish(),
});
