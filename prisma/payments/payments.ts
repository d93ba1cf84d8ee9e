/**
 * The books of one order's money. Every intent is written down (`requested`) before the provider is
 * called and its outcome after; the operations are append-only, the payment row is their summary.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/order.ts';
import { transitionOrder, orderTransaction, type TransitionOutcome } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { toPayment } from '../client/mappers.ts';

/** Refunds have their own books: refunds.ts. */
export type SettleKind = 'capture' | 'void';

/** The order's payment, or null when there is no such order. */
export async function findPayment(db: Database, orderId: OrderId): Promise<Payment | null> {
  const row = await db.payment.findUnique({ where: { orderId } });
  return row && toPayment(row);
}

/**
 * Writes an intent down before the call. `repeated` means it was written before, so the provider may
 * have done it already: look up first (G3).
 */
export async function recordIntent(
  db: Database,
  payment: Payment,
  kind: SettleKind,
): Promise<'new' | 'repeated'> {
  const added = await db.paymentOperation.createMany({
    data: [operationOf(payment, kind, 'requested')],
    skipDuplicates: true,
  });
  return added.count === 1 ? 'new' : 'repeated';
}

/**
 * Money taken; order `paid`. When the order is already being undone the money is still written down
 * (it was taken), and the outcome says `forbidden`.
 */
export async function recordCaptured(db: Database, payment: Payment): Promise<TransitionOutcome> {
  return orderTransaction(db, payment.orderId, async (tx) => {
    await recordCapture(tx, payment);
    return transitionOrder(tx, {
      orderId: payment.orderId,
      type: 'order.paid',
      to: 'paid',
      data: { amount_minor: payment.amountMinor, currency: payment.currency },
      causationId: providerKey(payment.orderId, 'capture'),
    });
  });
}

/** The provider refused to take the money. */
export async function recordCaptureRefused(
  db: Database,
  payment: Payment,
  code: string,
): Promise<void> {
  await db.paymentOperation.createMany({
    data: [{ ...operationOf(payment, 'capture', 'refused'), detail: code }],
    skipDuplicates: true,
  });
}

/** The authorization was let go. */
export async function recordVoided(db: Database, payment: Payment): Promise<void> {
  await orderTransaction(db, payment.orderId, async (tx) => {
    await book(tx, payment, 'void');
    await tx.payment.updateMany({
      where: { orderId: payment.orderId, status: 'authorized' },
      data: { status: 'voided', updatedAt: new Date() },
    });
    await transitionOrder(tx, {
      orderId: payment.orderId,
      type: 'order.payment_voided',
      data: { amount_minor: payment.amountMinor, currency: payment.currency },
      causationId: providerKey(payment.orderId, 'void'),
    });
  });
}

/** Writes the capture down, if it is not yet. */
export async function recordCapture(tx: Transaction, payment: Payment): Promise<void> {
  await book(tx, payment, 'capture');
  await tx.payment.updateMany({
    where: { orderId: payment.orderId, status: 'authorized' },
    data: { status: 'captured', capturedMinor: payment.amountMinor, updatedAt: new Date() },
  });
}

async function book(tx: Transaction, payment: Payment, kind: SettleKind): Promise<void> {
  await tx.paymentOperation.createMany({
    data: [operationOf(payment, kind, 'requested'), operationOf(payment, kind, 'succeeded')],
    skipDuplicates: true,
  });
}

function operationOf(
  payment: Payment,
  kind: SettleKind,
  state: 'requested' | 'succeeded' | 'refused',
) {
  return {
    orderId: payment.orderId,
    key: providerKey(payment.orderId, kind),
    kind,
    state,
    amountMinor: payment.amountMinor,
    currency: payment.currency,
    providerReference: payment.providerReference,
  };
}
