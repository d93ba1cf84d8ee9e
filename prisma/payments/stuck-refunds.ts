/**
 * Refunds somebody asked for that stand still: which ones to look at, and that somebody has looked.
 * It asks no Temporal; the caller does.
 */
import type { RefundId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import type { RefundStart } from './refunds.ts';

/**
 * Refunds on their way whose workflow was started, or should have been, more than `idleMs` ago. Not
 * those that wait for a person, nor those that were checked within `recheckMs`; the longest
 * unchecked first.
 */
export async function listStuckRefunds(
  db: Database,
  asked: { readonly idleMs: number; readonly recheckMs: number; readonly limit: number },
): Promise<readonly RefundStart[]> {
  return db.$queryRaw<RefundStart[]>`
    SELECT r.id AS "refundId", r.order_id AS "orderId", r.amount_minor AS "amountMinor", r.currency,
      o.correlation_id AS "correlationId", o.traceparent
    FROM refunds r JOIN orders o ON o.id = r.order_id
    WHERE r.status = 'requested' AND r.cause = 'requested'
      AND COALESCE(r.workflow_started_at, r.requested_at) < now() - ${asked.idleMs} * interval '1 ms'
      AND (r.checked_at IS NULL OR r.checked_at < now() - ${asked.recheckMs} * interval '1 ms')
    ORDER BY r.checked_at NULLS FIRST, r.id LIMIT ${asked.limit}`;
}

/** Remembers that somebody looked. */
export async function markRefundsChecked(db: Database, ids: readonly RefundId[]): Promise<void> {
  await db.$executeRaw`UPDATE refunds SET checked_at = now() WHERE id = ANY(${[...ids]})`;
}

/** Remembers that a new run of the refund's workflow began. */
export async function markRefundRestarted(db: Database, id: RefundId): Promise<void> {
  await db.$executeRaw`UPDATE refunds SET workflow_started_at = now() WHERE id = ${id}`;
}
