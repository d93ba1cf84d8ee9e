/** The refunds that the compensation of a captured payment makes: those requested before, then the rest. */
import { remainingRefundKey, type OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/payment.ts';
import { leftOnCard, SETTLED_MANUALLY, type Refund } from '../../domain/refund.ts';
import type { Database, Transaction } from '../client/client.ts';
import { newId } from '../client/ids.ts';
import { wasSkipped } from '../orders/needs-attention.ts';
import { orderTransaction } from '../orders/transition.ts';
import { recordCapture } from './payments.ts';
import { failRefund } from './refund-outcomes.ts';
import { FAILED, OPEN, toRefund, WITH_LINES } from './refunds.ts';
import { openRefund } from './request-refund.ts';

/** Refunds on request that the provider is not known to have accepted, oldest first. */
export async function listUnacceptedRefunds(
  db: Database,
  orderId: OrderId,
): Promise<readonly Refund[]> {
  const rows = await db.refund.findMany({
    where: { orderId, cause: 'requested', status: { in: OPEN }, acceptedAt: null },
    include: WITH_LINES,
    orderBy: { id: 'asc' },
  });
  return rows.map(toRefund);
}

/**
 * The refund of what is left on the card of a cancelled order, recorded once, and anew after the provider
 * refused it; null when nothing is left, or an operator has paid the customer in another way. One that the provider accepted stays the only one, even if it failed
 * later: then a person is asked. Records the capture too if its response had been lost. Store credit comes
 * back with the order's end.
 */
export async function openRemainingRefund(
  db: Database,
  payment: Payment,
  takenMinor = payment.dueMinor,
): Promise<Refund | null> {
  const { orderId } = payment;
  return orderTransaction(db, orderId, async (tx) => {
    await recordCapture(tx, payment, takenMinor);
    const rests = await tx.refund.findMany({
      where: { orderId, cause: 'order_cancelled' },
      include: WITH_LINES,
    });
    const wasRefused = ({ status, providerReference }: (typeof rests)[number]): boolean =>
      FAILED.some((each) => each === status) && providerReference === null;
    const row = rests.find((each) => !wasRefused(each));
    if (row) return toRefund(row);
    if (await wasSkipped(tx, orderId, 'voidOrRefundPayment')) return null;
    const captured = await tx.payment.findUniqueOrThrow({ where: { orderId } });
    const amountMinor = leftOnCard(captured);
    if (amountMinor === 0) return null;
    const id = newId('refund');
    return openRefund(tx, {
      id,
      orderId,
      key: remainingRefundKey(orderId, rests.length),
      cause: 'order_cancelled',
      amountMinor,
      creditMinor: 0,
      lines: [],
      reason: null,
    });
  });
}

/**
 * An operator skipped the compensation: its refund claims nothing any more, unless the provider has
 * accepted it. Call it under the order's lock.
 */
export async function skipRemainingRefund(tx: Transaction, orderId: OrderId): Promise<void> {
  const row = await tx.refund.findFirst({
    where: { orderId, cause: 'order_cancelled', status: 'requested' },
    include: WITH_LINES,
  });
  if (row) await failRefund(tx, toRefund(row), SETTLED_MANUALLY);
}
