/**
 * What became of a refund: refund, payment, operation and event in one transaction, once. Also the
 * refund a cancelled order gives by itself: all that no refund has given back before.
 */
import { providerKey, refundKey, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { EventType, Payment } from '../../domain/order.ts';
import { refundStep, type Refund } from '../../domain/refund.ts';
import { transitionOrder, orderTransaction } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { resolveDeadLetter, recordDeadLetter } from '../events/dead-letters.ts';
import { newId } from '../client/ids.ts';
import { recordCapture } from './payments.ts';
import { OPEN, openRefund, toRefund, type RefundStart } from './refunds.ts';

/** Refunds somebody asked for whose outcome is not known, oldest first. */
export async function listOpenRefunds(db: Database, orderId: OrderId): Promise<readonly Refund[]> {
  const rows = await db.refund.findMany({
    where: { orderId, cause: 'requested', status: { in: OPEN } },
    orderBy: { id: 'asc' },
  });
  return rows.map(toRefund);
}

/**
 * The refund of all that is left of a cancelled order, written down once; null when nothing is.
 * Books the capture too if its answer had been lost.
 */
export async function openRestRefund(db: Database, payment: Payment): Promise<Refund | null> {
  const { orderId } = payment;
  const key = providerKey(orderId, 'refund');
  return orderTransaction(db, orderId, async (tx) => {
    await recordCapture(tx, payment);
    const row = await tx.refund.findUnique({ where: { key } });
    if (row) return toRefund(row);
    const { capturedMinor, refundedMinor, refundingMinor } = await tx.payment.findUniqueOrThrow({
      where: { orderId },
    });
    const amountMinor = capturedMinor - refundedMinor - refundingMinor;
    if (amountMinor === 0) return null;
    const id = newId('refund');
    return openRefund(tx, {
      id,
      orderId,
      key,
      cause: 'order_cancelled',
      amountMinor,
      reason: null,
    });
  });
}

/** The money is back. Says so once, however often it is told. */
export async function recordRefundSucceeded(
  db: Database,
  refund: Refund,
  providerReference: string,
): Promise<void> {
  const { orderId, amountMinor } = refund;
  await orderTransaction(db, orderId, async (tx) => {
    const data = { status: 'succeeded', providerReference, settledAt: new Date() } as const;
    if (!(await settle(tx, refund, data))) return;
    await tx.$executeRaw`
      UPDATE payments SET refunding_minor = refunding_minor - ${amountMinor},
        refunded_minor = refunded_minor + ${amountMinor}, updated_at = now(),
        status = CASE WHEN refunded_minor + ${amountMinor} = captured_minor
          THEN 'refunded' ELSE 'partially_refunded' END::payment_status
      WHERE order_id = ${orderId}`;
    await book(tx, refund, { state: 'succeeded', detail: null });
    if (refund.cause === 'order_cancelled') await tell(tx, refund, 'order.payment_refunded');
    else await tell(tx, refund, 'refund.succeeded');
    await closeTries(tx, refund);
  });
}

/** The provider refused for good: the amount can be asked for again. */
export async function recordRefundFailed(
  db: Database,
  refund: Refund,
  failureCode: string,
): Promise<void> {
  const { orderId, amountMinor } = refund;
  await orderTransaction(db, orderId, async (tx) => {
    const data = { status: 'failed', failureCode, settledAt: new Date() } as const;
    if (!(await settle(tx, refund, data))) return;
    await tx.$executeRaw`
      UPDATE payments SET refunding_minor = refunding_minor - ${amountMinor}, updated_at = now()
      WHERE order_id = ${orderId}`;
    await book(tx, refund, { state: 'refused', detail: failureCode });
    await tell(tx, refund, 'refund.failed', { failure_code: failureCode });
    await closeTries(tx, refund);
  });
}

/** Nobody knows what became of it and the tries are used up: a dead letter, for a person to redrive. */
export async function recordRefundNeedsAttention(
  db: Database,
  refund: Refund,
  failure: string,
): Promise<void> {
  const { id, orderId } = refund;
  await orderTransaction(db, orderId, async (tx) => {
    if (!(await settle(tx, refund, { status: 'needs_attention' }))) return;
    const where = { orderId_step: { orderId, step: refundStep(id) } };
    await requestDecision(tx, refund, {
      failure,
      tried: await tx.stepAttempt.findUnique({ where }),
    });
  });
}

/**
 * The workflow of a refund on its way is gone, and `failure` says how. False: the refund has moved
 * since it was seen.
 */
export async function markStuckRefundNeedsAttention(
  db: Database,
  { refundId: id, orderId }: Pick<RefundStart, 'refundId' | 'orderId'>,
  failure: string,
): Promise<boolean> {
  return orderTransaction(db, orderId, async (tx) => {
    const parked = await tx.refund.updateMany({
      where: { id, status: 'requested' },
      data: { status: 'needs_attention' },
    });
    if (parked.count === 0) return false;
    const refund = { id, orderId, key: refundKey(orderId, id) };
    // Its tries are not why it waits.
    await requestDecision(tx, refund, { failure, tried: null });
    return true;
  });
}

/** Event and dead letter of a refund that waits. After the same last try told once, however often. */
async function requestDecision(
  tx: Transaction,
  { id, orderId, key }: Pick<Refund, 'id' | 'orderId' | 'key'>,
  why: {
    readonly failure: string;
    readonly tried: Awaited<ReturnType<Transaction['stepAttempt']['findUnique']>>;
  },
): Promise<void> {
  const { failure, tried } = why;
  const now = new Date();
  const lastFailedAt = (tried?.lastFailedAt ?? now).toISOString();
  await transitionOrder(tx, {
    orderId,
    type: 'refund.needs_attention',
    dedupKey: `refund.needs_attention/${id}/${tried === null ? 'untried' : lastFailedAt}`,
    data: { refund_id: id, failure },
    causationId: key,
  });
  await recordDeadLetter(tx, {
    source: 'refund',
    subject: id,
    orderId,
    eventId: null,
    message: { workflow_id: refundWorkflowId(id) },
    error: tried?.lastFailure ?? failure,
    retryCount: tried?.attempts ?? 1,
    firstFailedAt: (tried?.firstFailedAt ?? now).toISOString(),
    lastFailedAt,
  });
}

/** False when its outcome was written before. */
async function settle(
  tx: Transaction,
  { id }: Refund,
  data: Parameters<Transaction['refund']['updateMany']>[0]['data'],
): Promise<boolean> {
  const settled = await tx.refund.updateMany({ where: { id, status: { in: OPEN } }, data });
  return settled.count === 1;
}

async function book(
  tx: Transaction,
  { orderId, key, amountMinor, currency }: Refund,
  outcome: { readonly state: 'succeeded' | 'refused'; readonly detail: string | null },
): Promise<void> {
  const { providerReference } = await tx.payment.findUniqueOrThrow({ where: { orderId } });
  const operation = { orderId, key, amountMinor, currency, providerReference };
  await tx.paymentOperation.createMany({
    data: [{ ...operation, ...outcome, kind: 'refund' }],
    skipDuplicates: true,
  });
}

/** Nobody has to look any more. */
async function closeTries(tx: Transaction, { id, orderId }: Refund): Promise<void> {
  await resolveDeadLetter(tx, { source: 'refund', subject: id, orderId, eventId: null });
  await tx.stepAttempt.deleteMany({ where: { orderId, step: refundStep(id) } });
}

async function tell(
  tx: Transaction,
  { id, orderId, key, amountMinor, currency }: Refund,
  ...[type, more = {}]: readonly [type: EventType, more?: Readonly<Record<string, unknown>>]
): Promise<void> {
  await transitionOrder(tx, {
    orderId,
    type,
    dedupKey: `${type}/${id}`,
    data: { refund_id: id, amount_minor: amountMinor, currency, ...more },
    causationId: key,
  });
}
