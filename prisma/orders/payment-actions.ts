/** Orders whose payment the shopper has to confirm. Raw SQL for the database's clock, which set the deadline. */
import type { OrderId } from '../../domain/ids.ts';
import type { Database, Transaction } from '../client/client.ts';

export interface PaymentWait {
  /** The provider's id of the payment. */
  readonly reference: string;
  readonly expiresAt: Date;
  readonly isOverdue: boolean;
}

/** How long the order waits for the shopper; null: it does not, or not any more. */
export async function findPaymentWait(
  db: Transaction,
  orderId: OrderId,
): Promise<PaymentWait | null> {
  const rows = await db.$queryRaw<PaymentWait[]>`
    SELECT p.provider_reference AS reference, o.deadline_at AS "expiresAt",
      o.deadline_at <= now() AS "isOverdue"
    FROM orders o JOIN payments p ON p.order_id = o.id
    WHERE o.id = ${orderId} AND o.status = 'pending' AND p.status = 'requires_action'`;
  return rows[0] ?? null;
}

/** Those of the given orders that wait for the shopper. */
export async function findWaiting(
  db: Database,
  orderIds: readonly OrderId[],
): Promise<ReadonlySet<OrderId>> {
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id
    WHERE o.id = ANY (${[...orderIds]}::text[]) AND o.status = 'pending'
      AND p.status = 'requires_action'`;
  return new Set(rows.map(({ id }) => id));
}

/**
 * Orders that wait for the shopper and were not looked at for `recheckMs`, or not since their deadline; the
 * longest unchecked first (`markChecked`).
 */
export async function listWaiting(
  db: Database,
  filter: { readonly recheckMs: number; readonly limit: number },
): Promise<readonly OrderId[]> {
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id,
      LATERAL (SELECT GREATEST(o.checked_at, o.updated_at) AS checked_at) last
    WHERE o.status = 'pending' AND p.status = 'requires_action'
      AND (last.checked_at < now() - ${filter.recheckMs}::float8 * interval '1 ms'
        OR (o.deadline_at <= now() AND last.checked_at < o.deadline_at))
    ORDER BY last.checked_at LIMIT ${filter.limit}`;
  return rows.map(({ id }) => id);
}
