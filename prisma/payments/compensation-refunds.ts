/** The refunds that the compensation of a captured payment makes: those requested before, then the rest. */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Payment } from '../../domain/payment.ts';
import { leftOnCard, SETTLED_MANUALLY, type Refund } from '../../domain/refund.ts';
import type { Database, Transaction } from '../client/client.ts';
import { newId } from '../client/ids.ts';
import { orderTransaction } from '../orders/transition.ts';
import { recordCapture } from './payments.ts';
import { failRefund } from './refund-outcomes.ts';
import { OPEN, toRefund, WITH_LINES } from './refunds.ts';
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
 * The refund of what is left on the card of a cancelled order, recorded once; null when nothing is left.
 * Records the capture too if its response had been lost. Store credit comes back with the order's end.
 */
export async function openRemainingRefund(
  db: Database,
  payment: Payment,
  takenMinor = payment.dueMinor,
): Promise<Refund | null> {
  const { orderId } = payment;
  const key = providerKey(orderId, 'refund');
  return orderTransaction(db, orderId, async (tx) => {
    await recordCapture(tx, payment, takenMinor);
    const row = await tx.refund.findUnique({ where: { key }, include: WITH_LINES });
    if (row) return toRefund(row);
    const captured = await tx.payment.findUniqueOrThrow({ where: { orderId } });
    const amountMinor = leftOnCard(captured);
    if (amountMinor === 0) return null;
    const id = newId('refund');
    return openRefund(tx, {
      id,
      orderId,
      key,
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
