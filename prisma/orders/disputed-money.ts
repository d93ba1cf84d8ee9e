/** A dead letter that asks about the money of a dispute which ended after its order had been cancelled. */
import type { OrderId } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import { leftOnCard } from '../../domain/refund.ts';
import type { Transaction } from '../client/client.ts';
import { recordDeadLetter, resolveDeadLetter } from '../events/dead-letters.ts';
import { wasSkipped } from './needs-attention.ts';

const COMPENSATION = 'voidOrRefundPayment';

/**
 * A bank had money of the order when it was cancelled, so the compensation could not refund it. Once the
 * dispute has ended and the money is back, a person refunds it, unless one
 * has paid the customer in another way and skipped the refund.
 */
export async function recordDisputedMoneyLeft(tx: Transaction, orderId: OrderId): Promise<void> {
  const ended = { some: { kind: 'dispute', isOpen: false } } as const;
  const payment = await tx.payment.findFirst({
    where: { orderId, order: { status: 'cancelled', cases: ended } },
  });
  const amountMinor = payment === null ? 0 : leftOnCard(payment);
  if (payment === null || amountMinor === 0 || (await wasSkipped(tx, orderId, COMPENSATION)))
    return;
  const left = formatMoney({ amountMinor, currency: payment.currency });
  await recordDeadLetter(tx, {
    ...ofDispute(orderId),
    message: {},
    error: `the dispute of a cancelled order has ended: refund the remaining ${left}`,
    retryCount: 1,
    firstFailedAt: null,
    lastFailedAt: null,
  });
}

/** A refund of the order succeeded. Its dispute needs no decision any more when nothing is left. */
export async function resolveDisputedMoney(tx: Transaction, orderId: OrderId): Promise<void> {
  const payment = await tx.payment.findUniqueOrThrow({ where: { orderId } });
  if (leftOnCard(payment) > 0) return;
  await resolveDeadLetter(tx, ofDispute(orderId));
}

function ofDispute(orderId: OrderId) {
  return { source: 'refund', subject: 'dispute', orderId, eventId: null } as const;
}
