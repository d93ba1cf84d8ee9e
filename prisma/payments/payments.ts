/**
 * The payment of one order. Every intent (`requested`) is recorded before the provider is called and its
 * outcome after; the operations are append-only, and the payment row is their summary, changed by raw
 * SQL for the database's clock.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/payment.ts';
import {
  orderTransaction,
  transitionOrder,
  tryTransitionAlone,
  type Transition,
  type TransitionOutcome,
} from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { PAYMENT_WITH_DUE, toPayment } from '../client/mappers.ts';
import { Prisma } from '../generated/client.ts';
import type { PaymentOperationState } from '../generated/enums.ts';

/** Refunds have their own records: refunds.ts. */
export type SettleKind = 'capture' | 'void';

/** The order's payment, or null when no such order exists. */
export async function findPayment(db: Transaction, orderId: OrderId): Promise<Payment | null> {
  const row = await db.payment.findUnique({ where: { orderId }, include: PAYMENT_WITH_DUE });
  return row && toPayment(row);
}

/**
 * Records an intent before the call. `repeated`: it was recorded before, so the provider may have done
 * it already: look up first.
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
export async function recordCaptured(
  db: Database,
  payment: Payment,
  amountMinor = payment.dueMinor,
): Promise<TransitionOutcome> {
  const { orderId, currency } = payment;
  const paid: Transition = {
    orderId,
    type: 'order.paid',
    to: 'paid',
    endsAttention: true,
    data: { amount_minor: amountMinor, currency },
    causationId: providerKey(orderId, 'capture'),
  };
  return (
    (await tryTransitionAlone(db, paid, captureWrites(payment, amountMinor))) ??
    orderTransaction(db, orderId, async (tx) => {
      await recordCapture(tx, payment, amountMinor);
      return transitionOrder(tx, paid);
    })
  );
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

/** A payment of nothing follows its order without a provider: it is voided, or refunded. */
export async function recordNothingHeld(db: Database, { orderId }: Payment): Promise<void> {
  await db.$executeRaw`
    UPDATE payments SET updated_at = now(),
      status = CASE status WHEN 'authorized' THEN 'voided' ELSE 'refunded' END::payment_status
    WHERE order_id = ${orderId} AND amount_minor = 0 AND status IN ('authorized', 'captured')`;
}

/** Records the capture, once. */
export async function recordCapture(
  tx: Transaction,
  payment: Payment,
  amountMinor = payment.dueMinor,
): Promise<void> {
  await tx.$executeRaw`
    WITH moved AS (SELECT id FROM orders WHERE id = ${payment.orderId})
    ${captureWrites(payment, amountMinor)} SELECT`;
}

/** The operation and the payment's new state, as CTEs that read the order's id from `moved`. */
function captureWrites(payment: Payment, amountMinor: number): Prisma.Sql {
  const { orderId, currency, providerReference } = payment;
  return Prisma.sql`, with_operations AS (
      INSERT INTO payment_operations
        (order_id, key, kind, state, amount_minor, currency, provider_reference)
      SELECT moved.id, ${providerKey(orderId, 'capture')}, 'capture', state, ${amountMinor},
        ${currency}, ${providerReference}
      FROM moved, unnest('{requested,succeeded}'::payment_operation_state[]) AS state
      WHERE ${amountMinor} > 0 ON CONFLICT DO NOTHING),
    with_payment AS (
      UPDATE payments SET status = 'captured', captured_minor = ${amountMinor}, updated_at = now()
      FROM moved WHERE order_id = moved.id AND status = 'authorized')`;
}

async function recordOperation(tx: Transaction, payment: Payment, kind: SettleKind): Promise<void> {
  await tx.paymentOperation.createMany({
    data: [operationOf(payment, kind, 'requested'), operationOf(payment, kind, 'succeeded')],
    skipDuplicates: true,
  });
}

/** What a capture or a void is about: the amount to capture, or all that is authorized. */
export function amountOf({ amountMinor, dueMinor }: Payment, kind: SettleKind): number {
  return kind === 'capture' ? dueMinor : amountMinor;
}

function operationOf(payment: Payment, kind: SettleKind, state: PaymentOperationState) {
  return {
    orderId: payment.orderId,
    key: providerKey(payment.orderId, kind),
    kind,
    state,
    amountMinor: amountOf(payment, kind),
    currency: payment.currency,
    providerReference: payment.providerReference,
  };
}
