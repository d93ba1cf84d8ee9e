/**
 * The outcome of a refund: refund, payment, operation and event in one transaction, once. Also the
 * refund of a cancelled order: everything that no earlier refund has returned. Statuses are changed by
 * raw SQL for the database's clock.
 */
import { providerKey, refundKey, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { EventType, Payment } from '../../domain/order.ts';
import { cardPartOf, leftToRefund, refundStep, type Refund } from '../../domain/refund.ts';
import { giveUpAttempts, type GivenUp } from '../orders/step-attempts.ts';
import { transitionOrder, orderTransaction } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { resolveDeadLetter, recordDeadLetter } from '../events/dead-letters.ts';
import { newId } from '../client/ids.ts';
import { creditRefund, giveBackCredit } from '../credit/ledger.ts';
import { recordCapture } from './payments.ts';
import { OPEN, toRefund, WITH_LINES, type RefundStart } from './refunds.ts';
import { openRefund } from './request-refund.ts';

/** Refunds on request whose outcome is not known, oldest first. */
export async function listOpenRefunds(db: Database, orderId: OrderId): Promise<readonly Refund[]> {
  const rows = await db.refund.findMany({
    where: { orderId, cause: 'requested', status: { in: OPEN } },
    include: WITH_LINES,
    orderBy: { id: 'asc' },
  });
  return rows.map(toRefund);
}

/**
 * The refund of what is left on the card of a cancelled order, recorded once; null when nothing is left.
 * Records the capture too if its response had been lost. Store credit comes back with the order's end.
 */
export async function openRemainingRefund(db: Database, payment: Payment): Promise<Refund | null> {
  const { orderId } = payment;
  const key = providerKey(orderId, 'refund');
  return orderTransaction(db, orderId, async (tx) => {
    await recordCapture(tx, payment);
    const row = await tx.refund.findUnique({ where: { key }, include: WITH_LINES });
    if (row) return toRefund(row);
    const captured = await tx.payment.findUniqueOrThrow({ where: { orderId } });
    const { capturedMinor, refundedMinor, refundingMinor } = captured;
    // Less than the card has left, when money of the card became credit.
    const amountMinor = Math.min(
      capturedMinor - refundedMinor - refundingMinor,
      leftToRefund(captured),
    );
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
 * The refund succeeded, and its part for store credit is credited. Recorded once, however often it is
 * called. `providerReference` is null when all of it becomes credit.
 */
export async function recordRefundSucceeded(
  db: Database,
  refund: Refund,
  providerReference: string | null,
): Promise<void> {
  const { orderId, creditMinor } = refund;
  const onCard = cardPartOf(refund);
  await orderTransaction(db, orderId, async (tx) => {
    if (!(await settle(tx, refund, { status: 'succeeded', providerReference }))) return;
    await tx.$executeRaw`
      UPDATE payments SET refunding_minor = refunding_minor - ${onCard},
        refunded_minor = refunded_minor + ${onCard},
        crediting_minor = crediting_minor - ${creditMinor},
        credited_minor = credited_minor + ${creditMinor}, updated_at = now(),
        status = CASE WHEN ${onCard} = 0 THEN status::text
          WHEN refunded_minor + ${onCard} = captured_minor THEN 'refunded'
          ELSE 'partially_refunded' END::payment_status
      WHERE order_id = ${orderId}`;
    await recordOutcome(tx, refund, { state: 'succeeded', detail: null });
    await creditRefund(tx, refund);
    if (refund.cause === 'order_cancelled') await publish(tx, refund, 'order.payment_refunded');
    else await publish(tx, refund, 'refund.succeeded');
    await closeAttempts(tx, refund);
  });
}

/**
 * The provider refused permanently: the amount can be requested again. Its part for store credit is given
 * back if the order has ended, because nobody can request it any more.
 */
export async function recordRefundFailed(
  db: Database,
  refund: Refund,
  failureCode: string,
): Promise<void> {
  const { id, orderId, creditMinor } = refund;
  await orderTransaction(db, orderId, async (tx) => {
    if (!(await settle(tx, refund, { status: 'failed', failureCode }))) return;
    await tx.$executeRaw`
      UPDATE payments SET refunding_minor = refunding_minor - ${cardPartOf(refund)},
        crediting_minor = crediting_minor - ${creditMinor}, updated_at = now()
      WHERE order_id = ${orderId}`;
    if (creditMinor > 0) await giveBackCredit(tx, orderId, id);
    await recordOutcome(tx, refund, { state: 'refused', detail: failureCode });
    await publish(tx, refund, 'refund.failed', { failure_code: failureCode });
    await closeAttempts(tx, refund);
  });
}

/** The outcome is unknown after the last attempt: a dead letter, for a person to redrive. */
export async function recordRefundNeedsAttention(
  db: Database,
  refund: Refund,
  failure: string,
): Promise<void> {
  const { id, orderId } = refund;
  await orderTransaction(db, orderId, async (tx) => {
    const waiting = await tx.refund.updateMany({
      where: { id, status: { in: OPEN } },
      data: { status: 'needs_attention' },
    });
    if (waiting.count === 0) return;
    const attempted = await giveUpAttempts(tx, orderId, refundStep(id));
    await requestDecision(tx, refund, { failure, attempted });
  });
}

/**
 * The workflow of a requested refund is gone, as `failure` says. False: the refund has changed since it
 * was read.
 */
export async function markStuckRefundNeedsAttention(
  db: Database,
  { refundId: id, orderId }: Pick<RefundStart, 'refundId' | 'orderId'>,
  failure: string,
): Promise<boolean> {
  return orderTransaction(db, orderId, async (tx) => {
    const waiting = await tx.refund.updateMany({
      where: { id, status: 'requested' },
      data: { status: 'needs_attention' },
    });
    if (waiting.count === 0) return false;
    const refund = { id, orderId, key: refundKey(orderId, id) };
    // Its failed attempts are not the reason.
    await giveUpAttempts(tx, orderId, refundStep(id));
    await requestDecision(tx, refund, { failure, attempted: null });
    return true;
  });
}

/** Event and dead letter of a refund that waits for a person; once per last failed attempt. */
async function requestDecision(
  tx: Transaction,
  { id, orderId, key }: Pick<Refund, 'id' | 'orderId' | 'key'>,
  why: {
    readonly failure: string;
    readonly attempted: GivenUp | null;
  },
): Promise<void> {
  const { failure, attempted } = why;
  const lastFailedAt = attempted?.lastFailedAt.toISOString() ?? null;
  await transitionOrder(tx, {
    orderId,
    type: 'refund.needs_attention',
    dedupKey: `refund.needs_attention/${id}/${lastFailedAt ?? 'untried'}`,
    data: { refund_id: id, failure },
    causationId: key,
  });
  await recordDeadLetter(tx, {
    source: 'refund',
    subject: id,
    orderId,
    eventId: null,
    message: { workflow_id: refundWorkflowId(id) },
    error: attempted?.lastFailure ?? failure,
    retryCount: attempted?.attempts ?? 1,
    firstFailedAt: attempted?.firstFailedAt.toISOString() ?? null,
    lastFailedAt,
  });
}

/** False when its outcome was recorded before. */
async function settle(
  tx: Transaction,
  { id }: Refund,
  outcome: {
    readonly status: 'succeeded' | 'failed';
    readonly providerReference?: string | null;
    readonly failureCode?: string;
  },
): Promise<boolean> {
  const { status, providerReference = null, failureCode = null } = outcome;
  const settled = await tx.$executeRaw`
    UPDATE refunds SET status = ${status}, settled_at = now(), failure_code = ${failureCode},
      provider_reference = COALESCE(${providerReference}, provider_reference)
    WHERE id = ${id} AND status IN ('requested', 'needs_attention')`;
  return settled === 1;
}

async function recordOutcome(
  tx: Transaction,
  refund: Refund,
  outcome: { readonly state: 'succeeded' | 'refused'; readonly detail: string | null },
): Promise<void> {
  const { orderId, key, currency } = refund;
  const amountMinor = cardPartOf(refund);
  if (amountMinor === 0) return;
  const { providerReference } = await tx.payment.findUniqueOrThrow({ where: { orderId } });
  const operation = { orderId, key, amountMinor, currency, providerReference };
  await tx.paymentOperation.createMany({
    data: [{ ...operation, ...outcome, kind: 'refund' }],
    skipDuplicates: true,
  });
}

/** The refund waits for no person any more. */
async function closeAttempts(tx: Transaction, { id, orderId }: Refund): Promise<void> {
  await resolveDeadLetter(tx, { source: 'refund', subject: id, orderId, eventId: null });
  await tx.stepAttempt.deleteMany({ where: { orderId, step: refundStep(id) } });
}

async function publish(
  tx: Transaction,
  { id, orderId, key, amountMinor, creditMinor, currency }: Refund,
  ...[type, more = {}]: readonly [type: EventType, more?: Readonly<Record<string, unknown>>]
): Promise<void> {
  await transitionOrder(tx, {
    orderId,
    type,
    dedupKey: `${type}/${id}`,
    data: {
      refund_id: id,
      amount_minor: amountMinor,
      credit_minor: creditMinor,
      currency,
      ...more,
    },
    causationId: key,
  });
}
