/** The orders that a bulk action is for. Raw: ids and sums alone, of many orders in one statement. */
import type { BulkAction, BulkSelection } from '../../domain/bulk.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { Database } from '../client/client.ts';
import { idAfter, idBefore } from '../client/ids.ts';
import { Prisma } from '../generated/client.ts';

export interface SelectedOrders {
  readonly statuses: readonly OrderStatus[];
  /** ISO 8601; exclusive, like `createdBefore`. */
  readonly createdAfter?: string | undefined;
  readonly createdBefore?: string | undefined;
  /** Only orders with a line of this product. */
  readonly sku?: string | undefined;
}

/** The oldest first, at most `limit`. The sums are of what the orders cost, or of what can still be refunded. */
export async function selectOrders(
  db: Database,
  filter: SelectedOrders,
  { action, limit }: { readonly action: Exclude<BulkAction, 'redrive'>; readonly limit: number },
): Promise<BulkSelection> {
  const amount =
    action === 'cancel'
      ? Prisma.sql`COALESCE(o.due_minor, o.total_minor)`
      : Prisma.sql`CASE WHEN p.status IN ('captured', 'partially_refunded', 'refunded')
          THEN GREATEST(0, p.captured_minor + p.credit_minor - p.refunded_minor - p.refunding_minor
            - p.credited_minor - p.crediting_minor - p.disputed_minor)
          ELSE 0 END`;
  const rows = await db.$queryRaw<{ id: string; currency: string; amountMinor: number }[]>`
    SELECT o.id, o.currency, ${amount} AS "amountMinor"
    FROM ${tablesOf(filter)} LEFT JOIN payments p ON p.order_id = o.id
    WHERE ${Prisma.join(conditionsOf(filter), ' AND ')} ORDER BY o.id LIMIT ${limit}`;
  const sums = new Map<string, number>();
  for (const { currency, amountMinor } of rows) {
    sums.set(currency, (sums.get(currency) ?? 0) + amountMinor);
  }
  return {
    ids: rows.map(({ id }) => id),
    amounts: [...sums].map(([currency, amountMinor]) => ({ currency, amountMinor })),
  };
}

/** An order has at most one line of a product. */
function tablesOf({ sku }: SelectedOrders): Prisma.Sql {
  if (sku === undefined) return Prisma.sql`orders o`;
  return Prisma.sql`order_lines l JOIN orders o ON l.sku = ${sku} AND o.id = l.order_id`;
}

/** Times also bound the ids, which have an index with the status. */
function conditionsOf({ statuses, createdAfter, createdBefore }: SelectedOrders) {
  const conditions = [Prisma.sql`o.status = ANY(${[...statuses]}::order_status[])`];
  if (createdAfter !== undefined) {
    conditions.push(Prisma.sql`o.id > ${idBefore('order', Date.parse(createdAfter))}
      AND o.created_at > ${createdAfter}::timestamptz`);
  }
  if (createdBefore !== undefined) {
    conditions.push(Prisma.sql`o.id < ${idAfter('order', Date.parse(createdBefore))}
      AND o.created_at < ${createdBefore}::timestamptz`);
  }
  return conditions;
}
