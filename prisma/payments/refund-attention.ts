/**
 * Refunds that a person is asked about: dead letters, by which they are decided. Call the functions that
 * take a transaction under the order's lock.
 */
import { refundWorkflowId } from '../../domain/ids.ts';
import {
  refundStep,
  type FailedRefundStatus,
  type Refund,
  type RefundStatus,
} from '../../domain/refund.ts';
import type { Database, Transaction } from '../client/client.ts';
import { recordDeadLetter } from '../events/dead-letters.ts';
import { giveUpAttempts, type GivenUp } from '../orders/step-attempts.ts';
import { orderTransaction, transitionOrder } from '../orders/transition.ts';
import { findRefund, OPEN, type RefundStart } from './refunds.ts';

/** The statuses of an open refund whose workflow is to do something. */
const MOVING: readonly RefundStatus[] = ['requested', 'pending', 'requires_action'];

/**
 * The provider accepted the refund, and could not return the money. Nothing waits: a person requests it
 * again, or pays in another way and discards this.
 */
export async function recordFailedAtProvider(
  tx: Transaction,
  { id, orderId }: Pick<Refund, 'id' | 'orderId'>,
  { status, failureCode }: { readonly status: FailedRefundStatus; readonly failureCode: string },
): Promise<void> {
  await recordDeadLetter(tx, {
    source: 'refund',
    subject: id,
    orderId,
    eventId: null,
    message: { workflow_id: refundWorkflowId(id), refund_status: status },
    error: `refund: ${status} at the provider (${failureCode})`,
    retryCount: 1,
    firstFailedAt: null,
    lastFailedAt: null,
  });
}

/** Unknown after the last attempt, or pending for too long: a dead letter, for a person to redrive. */
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
 * The workflow of an open refund is gone, as `failure` says. False: the refund has changed since it
 * was read.
 */
export async function markStuckRefundNeedsAttention(
  db: Database,
  { refundId: id, orderId }: Pick<RefundStart, 'refundId' | 'orderId'>,
  failure: string,
): Promise<boolean> {
  return orderTransaction(db, orderId, async (tx) => {
    const refund = await findRefund(tx, id);
    if (refund === null || !MOVING.includes(refund.status)) return false;
    await tx.refund.update({ where: { id }, data: { status: 'needs_attention' } });
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
