/**
 * What becomes of a refund: refund, payment, operation and event in one transaction, once. Statuses are
 * changed by raw SQL for the database's clock.
 */
import type { EventType } from '../../domain/order.ts';
import {
  cardPartOf,
  refundStep,
  type FailedRefundStatus,
  type PendingRefundStatus,
  type Refund,
  type RefundStatus,
} from '../../domain/refund.ts';
import { resolveDisputedMoney } from '../orders/disputed-money.ts';
import { transitionOrder, orderTransaction } from '../orders/transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { resolveDeadLetter } from '../events/dead-letters.ts';
import { creditRefund, giveBackCredit } from '../credit/ledger.ts';
import { recordFailedAtProvider } from './refund-attention.ts';
import { OPEN } from './refunds.ts';

/**
 * The provider has accepted the refund and is not sure: its amount stays claimed. One that waits for a
 * person because it was pending for too long keeps waiting.
 */
export async function recordRefundPending(
  db: Database,
  refund: Refund,
  accepted: { readonly reference: string; readonly status: PendingRefundStatus },
): Promise<void> {
  const { id, orderId } = refund;
  const { reference, status } = accepted;
  await orderTransaction(db, orderId, async (tx) => {
    const changed = await tx.$executeRaw`
      UPDATE refunds SET status = ${status}, provider_reference = ${reference},
        accepted_at = COALESCE(accepted_at, now())
      WHERE id = ${id} AND status <> ${status} AND (status IN ('requested', 'pending', 'requires_action')
        OR (status = 'needs_attention' AND accepted_at IS NULL))`;
    if (changed === 0) return;
    await publish(tx, refund, ['refund.pending', { status }, `/${status}`]);
    await closeAttempts(tx, refund);
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
    const from = await settle(tx, refund, { status: 'succeeded', providerReference });
    if (from === null) return;
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
    const isCompensation = refund.cause === 'order_cancelled';
    await publish(tx, refund, [isCompensation ? 'order.payment_refunded' : 'refund.succeeded']);
    await closeAttempts(tx, refund);
    await resolveDisputedMoney(tx, orderId);
  });
}

/** The provider refused: nothing was returned, and the amount can be requested again. */
export async function recordRefundFailed(
  db: Database,
  refund: Refund,
  failureCode: string,
): Promise<void> {
  await orderTransaction(db, refund.orderId, (tx) => failRefund(tx, refund, failureCode));
}

/** The same within a transaction of the order. */
export async function failRefund(
  tx: Transaction,
  refund: Refund,
  failureCode: string,
): Promise<void> {
  const from = await settle(tx, refund, { status: 'failed', failureCode });
  if (from === null) return;
  await unclaim(tx, refund, failureCode);
  await publish(tx, refund, ['refund.failed', { status: 'failed', failure_code: failureCode }]);
  await closeAttempts(tx, refund);
}

/**
 * The refund failed or was canceled after the provider had accepted it, even after it had succeeded: the
 * amount on the card is available again, and a person is asked, because the customer counts on it. A part
 * that has become store credit stays with the customer.
 */
export async function recordAcceptedRefundFailed(
  db: Database,
  refund: Refund,
  failed: { readonly status: FailedRefundStatus; readonly failureCode: string },
): Promise<void> {
  const { status, failureCode } = failed;
  await orderTransaction(db, refund.orderId, async (tx) => {
    const from = await settle(tx, refund, failed, [...OPEN, 'succeeded']);
    if (from === null) return;
    const isReversed = from === 'succeeded';
    await (isReversed ? reverse : unclaim)(tx, refund, failureCode);
    const reversed = isReversed ? { reversed_minor: cardPartOf(refund) } : {};
    const data = { status, failure_code: failureCode, ...reversed };
    await publish(tx, refund, ['refund.failed', data]);
    await closeAttempts(tx, refund);
    await recordFailedAtProvider(tx, refund, failed);
  });
}

/**
 * The claimed amount can be requested again. Its part for store credit is given back if the order has
 * ended, because it can no longer be requested.
 */
async function unclaim(tx: Transaction, refund: Refund, failureCode: string): Promise<void> {
  const { id, orderId, creditMinor } = refund;
  await tx.$executeRaw`
    UPDATE payments SET refunding_minor = refunding_minor - ${cardPartOf(refund)},
      crediting_minor = crediting_minor - ${creditMinor}, updated_at = now()
    WHERE order_id = ${orderId}`;
  if (creditMinor > 0) await giveBackCredit(tx, orderId, id);
  await recordOutcome(tx, refund, { state: 'refused', detail: failureCode });
}

/** The money of a refund that had succeeded is back at the shop. */
async function reverse(tx: Transaction, refund: Refund, failureCode: string): Promise<void> {
  const onCard = cardPartOf(refund);
  await tx.$executeRaw`
    UPDATE payments SET refunded_minor = refunded_minor - ${onCard}, updated_at = now(),
      status = CASE refunded_minor WHEN ${onCard} THEN 'captured'
        ELSE 'partially_refunded' END::payment_status
    WHERE order_id = ${refund.orderId}`;
  await recordOutcome(tx, refund, { state: 'reversed', detail: failureCode });
}

/** The status that it had; null when it was settled before. */
async function settle(
  tx: Transaction,
  { id }: Refund,
  ...[outcome, from = OPEN]: readonly [
    outcome: {
      readonly status: 'succeeded' | FailedRefundStatus;
      readonly providerReference?: string | null;
      readonly failureCode?: string;
    },
    from?: readonly RefundStatus[],
  ]
): Promise<RefundStatus | null> {
  const { status, providerReference = null, failureCode = null } = outcome;
  const rows = await tx.$queryRaw<{ status: RefundStatus }[]>`
    WITH before AS (
      SELECT id, status FROM refunds
      WHERE id = ${id} AND status::text = ANY(${[...from]}::text[]) FOR UPDATE)
    UPDATE refunds SET status = ${status}, settled_at = now(), failure_code = ${failureCode},
      provider_reference = COALESCE(${providerReference}, provider_reference),
      reversed_at = CASE before.status WHEN 'succeeded' THEN now() END
    FROM before WHERE refunds.id = before.id RETURNING before.status`;
  return rows[0]?.status ?? null;
}

async function recordOutcome(
  tx: Transaction,
  refund: Refund,
  outcome: {
    readonly state: 'succeeded' | 'refused' | 'reversed';
    readonly detail: string | null;
  },
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

/** An event about the refund, once. `each` is added to what makes it unique. */
async function publish(
  tx: Transaction,
  { id, orderId, key, amountMinor, creditMinor, currency }: Refund,
  [type, more = {}, each = '']: readonly [
    type: EventType,
    more?: Readonly<Record<string, unknown>>,
    each?: string,
  ],
): Promise<void> {
  await transitionOrder(tx, {
    orderId,
    type,
    dedupKey: `${type}/${id}${each}`,
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
