/**
 * The payment of one order. Every intent (`requested`) is recorded before the provider is called and its
 * outcome after; the operations are append-only, and the payment row is their summary, changed by raw
 * SQL for the database's clock.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/order.ts';
import { transitionOrder, orderTransaction, type TransitionOutcome } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { toPayment } from '../client/mappers.ts';
import type { PaymentOperationState } from '../generated/enums.ts';

/** Refunds have their own records: refunds.ts. */
export type SettleKind = 'capture' | 'void';

/** The order's payment, or null when no such order exists. */
export async function findPayment(db: Database, orderId: OrderId): Promise<Payment | null> {
  const row = await db.payment.findUnique({ where: { orderId } });
  return row && toPayment(row);
}

/**
 * Records an intent before the call. `repeated`: it was recorded before, so the provider may have done
 * it already: look up first (G3).
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
 * Payment `captured`, order `paid`. When the order is already being cancelled the capture is recorded all
 * the same, because it happened, and the outcome is `forbidden`.
 */
export async function recordCaptured(db: Database, payment: Payment): Promise<TransitionOutcome> {
  return orderTransaction(db, payment.orderId, async (tx) => {
    await recordCapture(tx, payment);
    return transitionOrder(tx, {
      orderId: payment.orderId,
      type: 'order.paid',
      to: 'paid',
      endsAttention: true,
      data: { amount_minor: payment.amountMinor, currency: payment.currency },
      causationId: providerKey(payment.orderId, 'capture'),
    });
  });
}

/** The provider refused the capture. */
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

/** The authorization was voided. */
export async function recordVoided(db: Database, payment: Payment): Promise<void> {
  await orderTransaction(db, payment.orderId, async (tx) => {
    await recordOperation(tx, payment, 'void');
    await tx.$executeRaw`
      UPDATE payments SET status = 'voided', updated_at = now()
      WHERE order_id = ${payment.orderId} AND status = 'authorized'`;
    await transitionOrder(tx, {
      orderId: payment.orderId,
      type: 'order.payment_voided',
      data: { amount_minor: payment.amountMinor, currency: payment.currency },
      causationId: providerKey(payment.orderId, 'void'),
    });
  });
}

/** Records the capture, once. */
export async function recordCapture(tx: Transaction, payment: Payment): Promise<void> {
  await recordOperation(tx, payment, 'capture');
  await tx.$executeRaw`
    UPDATE payments SET status = 'captured', captured_minor = ${payment.amountMinor},
      updated_at = now()
    WHERE order_id = ${payment.orderId} AND status = 'authorized'`;
}

async function recordOperation(tx: Transaction, payment: Payment, kind: SettleKind): Promise<void> {
  await tx.paymentOperation.createMany({
    data: [operationOf(payment, kind, 'requested'), operationOf(payment, kind, 'succeeded')],
    skipDuplicates: true,
  });
}

function operationOf(payment: Payment, kind: SettleKind, state: PaymentOperationState) {
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
