/**
 * Applies a refund to our records as the provider has it now: one of ours moves on, and one that was made
 * at the provider is recorded. Safe in any order and any number of times, and at several processes at once.
 */
import { externalRefundKey, type OrderId, type RefundId } from '../../domain/ids.ts';
import {
  cardPartOf,
  SETTLED_MANUALLY,
  type ProviderRefund,
  type Refund,
} from '../../domain/refund.ts';
import type { Database } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import { newId } from '../client/ids.ts';
import { orderTransaction, transitionOrder } from '../orders/transition.ts';
import {
  recordAcceptedRefundFailed,
  recordRefundPending,
  recordRefundSucceeded,
} from './refund-outcomes.ts';
import { FAILED, OPEN, toRefund, WITH_LINES } from './refunds.ts';
import { insertRefund } from './request-refund.ts';

/**
 * `applied`: our refund is as the provider has it; `wakes`: its workflow waits for that. `unknown_payment`:
 * not a payment of ours, or nothing was returned. `no_room`: made at the provider, and our records have
 * less left than that: a capture is not recorded yet, or refunds of ours are about to be refused.
 */
export type AppliedRefund =
  | { readonly kind: 'applied'; readonly refundId: RefundId; readonly wakes: boolean }
  | { readonly kind: 'unknown_payment' }
  | { readonly kind: 'no_room'; readonly orderId: OrderId };

export async function applyProviderRefund(
  db: Database,
  theirs: ProviderRefund,
): Promise<AppliedRefund> {
  const known = (await findByKey(db, theirs)) ?? (await recordExternal(db, theirs));
  if ('kind' in known) return known;
  await applyStatus(db, known, theirs);
  const wasOpen = OPEN.includes(known.status);
  const isCheckouts = known.cause === 'order_cancelled' && known.acceptedAt === null;
  return { kind: 'applied', refundId: known.id, wakes: wasOpen && !isCheckouts };
}

async function findByKey(
  db: Database,
  { key, reference, paymentReference: providerReference }: ProviderRefund,
): Promise<Refund | null> {
  const keys = [externalRefundKey(reference), ...(key === null ? [] : [key])];
  // Metadata can be copied to the refund of another payment. One of ours that was skipped, and made all the
  // same, is recorded as made at the provider.
  const where = {
    key: { in: keys },
    order: { payment: { providerReference } },
    OR: [{ failureCode: null }, { failureCode: { not: SETTLED_MANUALLY } }],
  };
  const row = await db.refund.findFirst({ where, include: WITH_LINES });
  return row && toRefund(row);
}

/** One that failed on our side stays so: the provider never returns to it. */
async function applyStatus(db: Database, ours: Refund, theirs: ProviderRefund): Promise<void> {
  const { status, reference } = theirs;
  // Another amount under our key is for the reconciliation, which compares sums.
  if (cardPartOf(ours) !== theirs.amountMinor) return;
  switch (status) {
    case 'pending':
    case 'requires_action':
      return recordRefundPending(db, ours, { reference, status });
    case 'succeeded':
      return recordRefundSucceeded(db, ours, reference);
    case 'failed':
    case 'canceled': {
      const failureCode = theirs.failureCode ?? status;
      return recordAcceptedRefundFailed(db, ours, { status, failureCode });
    }
  }
}

/** Recorded as accepted; what it is now is applied like the state of any other. */
async function recordExternal(
  db: Database,
  theirs: ProviderRefund,
): Promise<Refund | Exclude<AppliedRefund, { kind: 'applied' }>> {
  const { amountMinor, paymentReference, reference } = theirs;
  const payment = await db.payment.findFirst({ where: { providerReference: paymentReference } });
  const returnsNothing = FAILED.some((status) => status === theirs.status);
  if (payment?.currency !== theirs.currency || returnsNothing) return { kind: 'unknown_payment' };
  const orderId = uncheckedColumn<OrderId>(payment.orderId);
  const key = externalRefundKey(reference);
  return orderTransaction(db, orderId, async (tx) => {
    const known = await tx.refund.findUnique({ where: { key }, include: WITH_LINES });
    if (known) return toRefund(known);
    const refund = await insertRefund(tx, {
      id: newId('refund'),
      orderId,
      key,
      cause: 'provider',
      amountMinor,
      creditMinor: 0,
      lines: [],
      reason: null,
      providerReference: reference,
    });
    if (refund === null) return { kind: 'no_room', orderId } as const;
    const { id, currency } = refund;
    await transitionOrder(tx, {
      orderId,
      type: 'refund.external',
      dedupKey: `refund.external/${id}`,
      data: { refund_id: id, amount_minor: amountMinor, currency, reference },
      causationId: key,
    });
    return refund;
  });
}
