/** The stock of all products with what was sold of them today. Raw: a join with the hours of a day. */
import type { Stock } from '../../domain/product.ts';
import { dayOf } from '../../domain/time-zone.ts';
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';

export interface StockedProduct extends Stock {
  readonly name: string;
  readonly priceMinor: number;
  readonly currency: string;
  /** Units of the orders placed since midnight in the shop, as far as the analytics subscriber has counted. */
  readonly soldToday: number;
}

/** One page in SKU order, after `startingAfter`; with `availableBelow` only what has fewer units available. */
export async function listStock(
  db: Database,
  page: {
    readonly limit: number;
    readonly startingAfter?: string | undefined;
    readonly availableBelow?: number | undefined;
    /** Of the shop's days, IANA. */
    readonly timeZone: string;
  },
): Promise<{ readonly stock: readonly StockedProduct[]; readonly hasMore: boolean }> {
  const { limit, startingAfter = '', availableBelow, timeZone } = page;
  const isFew =
    availableBelow === undefined
      ? Prisma.empty
      : Prisma.sql`AND on_hand - held < ${availableBelow}::int`;
  const today = dayOf(new Date().toISOString(), timeZone);
  const stock = await db.$queryRaw<StockedProduct[]>`
    SELECT p.sku, p.name, p.price_minor AS "priceMinor", p.currency, s.on_hand AS "onHand", s.held,
      s.on_hand - s.held AS available, COALESCE((
        SELECT sum(a.units)
        FROM generate_series(date_trunc('hour', ${today.from}::timestamptz + interval '59 minutes',
          'UTC'), now(), interval '1 hour') AS of_today
        JOIN analytics_hourly a ON a.hour = of_today AND a.sku = s.sku), 0)::float8 AS "soldToday"
    FROM (
      SELECT * FROM stock WHERE sku > ${startingAfter} ${isFew}
      ORDER BY sku LIMIT ${limit + 1}) s
    JOIN products p USING (sku) ORDER BY p.sku`;
  return { stock: stock.slice(0, limit), hasMore: stock.length > limit };
}
