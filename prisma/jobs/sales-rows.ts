/**
 * The sales of orders, page by page, in the order of their ids. An id has the time at which its order was
 * created, the report that at which it was placed: mostly some seconds later, but hours after an outage of
 * the payment provider. `orders_placed_late` finds those. Raw: aggregates, and keysets.
 */
import type { Database } from '../client/client.ts';
import { idAfter, idBefore } from '../client/ids.ts';
import { Prisma } from '../generated/client.ts';
import type { PageQuery, Window } from './report-rows.ts';

/** Sales of one product on one day. */
export interface Sales {
  /** `2026-01-31`, in the time zone of the report. */
  readonly day: string;
  readonly sku: string;
  readonly currency: string;
  readonly orders: number;
  readonly units: number;
  readonly revenueMinor: number;
}

/** How many orders there are to read, at most `limit`. */
export async function countOrders(db: Database, window: Window, limit: number): Promise<number> {
  const rows = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (${orderIds({ ...window, after: '', limit })}) o`;
  return rows[0]?.count ?? 0;
}

/**
 * The sums of a page of orders: of those that were placed in the window and are not cancelled, without
 * what the warehouse did not have. Revenue is that of the lines; adjustments belong to no product.
 */
export async function readSales(
  db: Database,
  query: PageQuery & { readonly timeZone: string },
): Promise<{ readonly read: number; readonly last: string | null; readonly sales: Sales[] }> {
  const page = await db.$queryRaw<{ id: string }[]>(orderIds(query));
  const ids = page.map(({ id }) => id);
  const sales = await db.$queryRaw<(Omit<Sales, 'revenueMinor'> & { revenueMinor: bigint })[]>`
    SELECT to_char(o.placed_at AT TIME ZONE ${query.timeZone}, 'YYYY-MM-DD') AS day, l.sku,
      o.currency, count(*)::int AS orders, sum(sent.units)::int AS units,
      sum(sent.units::bigint * l.unit_price_minor)::bigint AS "revenueMinor"
    FROM orders o JOIN order_lines l ON l.order_id = o.id
      CROSS JOIN LATERAL (SELECT COALESCE(l.reserved_quantity, l.quantity) AS units) sent
    WHERE o.id = ANY(${ids})
      AND o.placed_at >= ${query.from}::timestamptz AND o.placed_at < ${query.to}::timestamptz
      AND o.status NOT IN ('cancelling', 'cancelled') AND sent.units > 0
    GROUP BY 1, 2, 3`;
  return {
    read: ids.length,
    last: ids.at(-1) ?? null,
    sales: sales.map((each) => ({ ...each, revenueMinor: Number(each.revenueMinor) })),
  };
}

/** As in the index `orders_placed_late`. */
const LATE_MS = 10 * 60_000;

/** The orders created in the window, after those that were placed in it and created long before it. */
function orderIds({ from, to, after, limit }: PageQuery): Prisma.Sql {
  const first = idBefore('order', Date.parse(from) - LATE_MS);
  const until = idAfter('order', Date.parse(to));
  return Prisma.sql`
    SELECT id FROM (
      (SELECT id FROM orders WHERE id > ${after > first ? after : first} AND id < ${until}
        ORDER BY id LIMIT ${limit})
      UNION ALL
      (SELECT id FROM orders WHERE placed_at - created_at > interval '10 minutes'
          AND placed_at >= ${from}::timestamptz AND placed_at < ${to}::timestamptz
          AND id > ${after} AND id <= ${first}
        ORDER BY id LIMIT ${limit})) either
    ORDER BY id LIMIT ${limit}`;
}

/** A day ends in the last time zone 36 hours after it begins in UTC. */
const DAY_ENDS_WITHIN_MS = 2 * 24 * 3_600_000;

/** True when the orders after the id `last` were created after the day, and so placed after it, too. */
export function isDayRead(day: string, last: string): boolean {
  return last > idAfter('order', Date.parse(day) + DAY_ENDS_WITHIN_MS);
}

/** The names of products, by SKU. */
export async function namesOf(
  db: Database,
  skus: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.product.findMany({
    where: { sku: { in: [...new Set(skus)] } },
    select: { sku: true, name: true },
  });
  return new Map(rows.map(({ sku, name }) => [sku, name]));
}
