/**
 * The sales figures per hour (UTC) and currency: of each SKU, and of whole orders. Only adds: the caller
 * makes sure that an event is counted once.
 */
import type { EventType, OrderEvent } from '../../domain/order.ts';
import type { Database, Transaction } from '../client/client.ts';
import { findSubscriptionLag } from './subscriptions.ts';

/** The events that change a figure of a SKU. */
const OF_SKUS: readonly EventType[] = ['order.placed', 'order.declined', 'order.cancelled'];
/** Of money that was returned: on request, and as the compensation of an order. */
const REFUNDS: readonly EventType[] = ['refund.succeeded', 'order.payment_refunded'];
/** The events that change any figure. */
export const COUNTED_TYPES: readonly EventType[] = [...OF_SKUS, 'order.shipped', ...REFUNDS];

type Counted = Pick<OrderEvent, 'type' | 'orderId' | 'time' | 'data'>;

/**
 * Adds the events to the hours they happened in. Units and revenue (minor units) are those of placed
 * orders, gross: a compensation or a refund subtracts nothing.
 */
export async function addToAnalytics(tx: Transaction, events: readonly Counted[]): Promise<void> {
  const given = JSON.stringify(
    events.map(({ type, orderId, time, data }) => {
      return { type, orderId, time, amountMinor: data['amount_minor'] ?? null };
    }),
  );
  await addToSkus(tx, given);
  await addToSales(tx, given);
}

/** Once per line of the order. Raw: one upsert that aggregates. Sorted, so that two writers cannot deadlock. */
async function addToSkus(tx: Transaction, given: string): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO analytics_hourly AS total
      (hour, sku, currency, orders, units, revenue_minor, declines, compensations)
    SELECT date_trunc('hour', e.time, 'UTC'), l.sku, o.currency,
      count(*) FILTER (WHERE e.type = 'order.placed'),
      COALESCE(sum(l.quantity) FILTER (WHERE e.type = 'order.placed'), 0),
      COALESCE(sum(l.quantity::bigint * l.unit_price_minor)
        FILTER (WHERE e.type = 'order.placed'), 0),
      count(*) FILTER (WHERE e.type = 'order.declined'),
      count(*) FILTER (WHERE e.type = 'order.cancelled')
    FROM jsonb_to_recordset(${given}::jsonb) AS e (type text, "orderId" text, time timestamptz)
    JOIN orders o ON o.id = e."orderId"
    JOIN order_lines l ON l.order_id = o.id
    WHERE e.type = ANY(${[...OF_SKUS]})
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (hour, sku, currency) DO UPDATE SET
      orders = total.orders + EXCLUDED.orders,
      units = total.units + EXCLUDED.units,
      revenue_minor = total.revenue_minor + EXCLUDED.revenue_minor,
      declines = total.declines + EXCLUDED.declines,
      compensations = total.compensations + EXCLUDED.compensations`;
}

/** Once per order. */
async function addToSales(tx: Transaction, given: string): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO sales_hourly AS total
      (hour, currency, orders, declined, cancelled, shipped, revenue_minor, refunded_minor)
    SELECT date_trunc('hour', e.time, 'UTC'), o.currency,
      count(*) FILTER (WHERE e.type = 'order.placed'),
      count(*) FILTER (WHERE e.type = 'order.declined'),
      count(*) FILTER (WHERE e.type = 'order.cancelled'),
      count(*) FILTER (WHERE e.type = 'order.shipped'),
      COALESCE(sum(o.total_minor) FILTER (WHERE e.type = 'order.placed'), 0),
      COALESCE(sum(e."amountMinor") FILTER (WHERE e.type = ANY(${[...REFUNDS]})), 0)
    FROM jsonb_to_recordset(${given}::jsonb)
      AS e (type text, "orderId" text, time timestamptz, "amountMinor" bigint)
    JOIN orders o ON o.id = e."orderId"
    WHERE e.type = ANY(${[...COUNTED_TYPES]})
    GROUP BY 1, 2
    ORDER BY 1, 2
    ON CONFLICT (hour, currency) DO UPDATE SET
      orders = total.orders + EXCLUDED.orders,
      declined = total.declined + EXCLUDED.declined,
      cancelled = total.cancelled + EXCLUDED.cancelled,
      shipped = total.shipped + EXCLUDED.shipped,
      revenue_minor = total.revenue_minor + EXCLUDED.revenue_minor,
      refunded_minor = total.refunded_minor + EXCLUDED.refunded_minor`;
}

export interface Sales {
  readonly startsAt: Date;
  readonly currency: string;
  readonly orders: number;
  readonly declined: number;
  readonly cancelled: number;
  readonly shipped: number;
  readonly revenueMinor: number;
  readonly refundedMinor: number;
}

/** The sales of the hours that begin from `from` on and before `to` (ISO 8601), in hours or days of UTC. */
export async function listSales(
  db: Database,
  span: {
    readonly from: string;
    readonly to: string;
    readonly per: 'hour' | 'day';
    readonly limit: number;
  },
): Promise<{ readonly sales: readonly Sales[]; readonly hasMore: boolean }> {
  const { from, to, per, limit } = span;
  const sales = await db.$queryRaw<Sales[]>`
    SELECT date_trunc(${per}, hour, 'UTC') AS "startsAt", currency, sum(orders)::int AS orders,
      sum(declined)::int AS declined, sum(cancelled)::int AS cancelled, sum(shipped)::int AS shipped,
      sum(revenue_minor)::float8 AS "revenueMinor", sum(refunded_minor)::float8 AS "refundedMinor"
    FROM sales_hourly WHERE hour >= ${from}::timestamptz AND hour < ${to}::timestamptz
    GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ${limit + 1}`;
  return { sales: sales.slice(0, limit), hasMore: sales.length > limit };
}

/** The time until which every event is counted (ISO 8601); null when none was ever counted. */
export async function salesCountedUntil(db: Database): Promise<string | null> {
  const nowMs = Date.now();
  const lag = await findSubscriptionLag(db, 'analytics');
  return lag && new Date(nowMs - lag.lagSeconds * 1_000).toISOString();
}
