/**
 * Refunds with no progress: how to find them, and when they were checked. It does not call
 * Temporal; the caller does. Raw SQL for the database's clock.
 */
import type { RefundId } from '../../domain/ids.ts';
import type { Database } from '../client/client.ts';
import type { RefundStart } from './refunds.ts';

/**
 * Requested and pending refunds whose workflow was started, or should have been, more than `idleMs` ago,
 * except those that were checked within `recheckMs`; the longest unchecked first. The refund of a
 * cancelled order belongs to its checkout until the provider accepts it without being sure.
 */
export async function listStuckRefunds(
  db: Database,
  filter: { readonly idleMs: number; readonly recheckMs: number; readonly limit: number },
): Promise<readonly RefundStart[]> {
  return db.$queryRaw<RefundStart[]>`
    SELECT r.id AS "refundId", r.order_id AS "orderId", r.amount_minor AS "amountMinor", r.currency,
      o.correlation_id AS "correlationId", o.traceparent, o.inspectable
    FROM refunds r JOIN orders o ON o.id = r.order_id
    WHERE ((r.status = 'requested' AND r.cause = 'requested')
        OR r.status IN ('pending', 'requires_action'))
      AND COALESCE(r.workflow_started_at, r.accepted_at, r.requested_at) < now() - ${filter.idleMs} * interval '1 ms'
      AND (r.checked_at IS NULL OR r.checked_at < now() - ${filter.recheckMs} * interval '1 ms')
    ORDER BY r.checked_at NULLS FIRST, r.id LIMIT ${filter.limit}`;
}

/** Records that recovering the refund is tried now. */
export async function markRefundChecked(db: Database, id: RefundId): Promise<void> {
  await db.$executeRaw`UPDATE refunds SET checked_at = now() WHERE id = ${id}`;
}

/** Records that a new run of the refund's workflow started. */
export async function markRefundRestarted(db: Database, id: RefundId): Promise<void> {
  await db.$executeRaw`UPDATE refunds SET workflow_started_at = now() WHERE id = ${id}`;
}
