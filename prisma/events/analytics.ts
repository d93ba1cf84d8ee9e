/**
 * The sales figures per hour (UTC) and currency: of each SKU, and of whole orders. Only adds: the caller
 * makes sure that an event is counted once.
 */
import type { EventType, OrderEvent } from '../../domain/order.ts';
import { daysBetween, startOfDay } from '../../domain/time-zone.ts';
import type { Database, Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { findHeldLog } from './event-log.ts';
import { findSubscriptionLag } from './subscriptions.ts';

/** The events that change a figure of a SKU. */
const OF_SKUS: readonly EventType[] = ['order.placed', 'order.declined', 'order.cancelled'];
/** Of money that was returned: on request, and as the compensation of an order. */
const REFUNDS: readonly EventType[] = ['refund.succeeded', 'order.payment_refunded'];
/** Of a refund that failed after it had succeeded: it subtracts what it had added, when that is known. */
const REVERSED: EventType = 'refund.failed';
/** The events that change any figure. */
export const COUNTED_TYPES: readonly EventType[] = [
  ...OF_SKUS,
  'order.shipped',
  ...REFUNDS,
  REVERSED,
];

type Counted = Pick<OrderEvent, 'type' | 'orderId' | 'time' | 'data'>;

/**
 * Adds the events to the hours they happened in. Units and revenue (minor units) are those of placed
 * orders, gross: a compensation or a refund subtracts nothing. Refunded is what was returned in the hour,
 * less what came back to the shop in it, so an hour can be negative.
 */
export async function addToAnalytics(tx: Transaction, events: readonly Counted[]): Promise<void> {
  const given = JSON.stringify(
    events.map(({ type, orderId, time, data }) => {
      const { amount_minor: amountMinor = null, reversed_minor: reversedMinor = null } = data;
      return { type, orderId, time, amountMinor, reversedMinor };
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
        - COALESCE(sum(e."reversedMinor") FILTER (WHERE e.type = ${REVERSED}), 0)
    FROM jsonb_to_recordset(${given}::jsonb) AS e (type text, "orderId" text, time timestamptz,
      "amountMinor" bigint, "reversedMinor" bigint)
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

/** Of one hour or day in one currency. */
export interface Figures {
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly currency: string;
  readonly orders: number;
  readonly declined: number;
  readonly cancelled: number;
  readonly shipped: number;
  readonly revenueMinor: number;
  readonly refundedMinor: number;
}

/**
 * The figures of whole orders in the hours or days that begin from `from` on and before `to`. Each is an
 * instant (ISO 8601, UTC) or a date, which begins in the time zone. A day consists of the hours that
 * begin in it: 23 to 25, and in a zone whose offset is no whole hour the first begins after midnight.
 * Null: a sum is beyond the safe integer range.
 */
export async function listFigures(
  db: Database,
  span: {
    readonly from: string;
    readonly to: string;
    readonly by: 'hour' | 'day';
    /** IANA. */
    readonly timeZone: string;
  },
): Promise<readonly Figures[] | null> {
  const { by, timeZone } = span;
  const [from, to] = [instant(span.from, timeZone), instant(span.to, timeZone)];
  const days = by === 'day' ? daysBetween({ from, to }, timeZone) : [];
  const spans =
    by === 'hour'
      ? Prisma.sql`(SELECT hour AS starts_at, hour + interval '1 hour' AS ends_at FROM sales_hourly
          WHERE hour >= ${from}::timestamptz AND hour < ${to}::timestamptz GROUP BY hour)`
      : Prisma.sql`unnest(${days.map((day) => day.from)}::timestamptz[],
          ${days.map((day) => day.to)}::timestamptz[])`;
  const rows = await db.$queryRaw<Sums[]>`
    SELECT starts_at AS "startsAt", ends_at AS "endsAt", currency, sum(orders)::int AS orders,
      sum(declined)::int AS declined, sum(cancelled)::int AS cancelled, sum(shipped)::int AS shipped,
      sum(revenue_minor)::text AS "revenueMinor", sum(refunded_minor)::text AS "refundedMinor"
    FROM ${spans} AS span (starts_at, ends_at)
    JOIN sales_hourly ON hour >= starts_at AND hour < ends_at
    GROUP BY starts_at, ends_at, currency ORDER BY starts_at, currency`;
  const figures = rows.map((row) => ({
    ...row,
    revenueMinor: Number(row.revenueMinor),
    refundedMinor: Number(row.refundedMinor),
  }));
  const isExact = figures.every(({ revenueMinor, refundedMinor }) =>
    [revenueMinor, refundedMinor].every(Number.isSafeInteger),
  );
  return isExact ? figures : null;
}

interface Sums extends Omit<Figures, 'revenueMinor' | 'refundedMinor'> {
  readonly revenueMinor: string;
  readonly refundedMinor: string;
}

/** A date that the zone skipped begins with the next one. */
function instant(at: string, timeZone: string): string {
  return at.includes('T') ? at : (startOfDay(at, timeZone) ?? `${at}T00:00:00Z`);
}

/** The time until which every event is counted (ISO 8601); null when none was ever counted. */
export async function countedUntil(db: Database): Promise<string | null> {
  // The lag is about readable events. Read first: one that becomes readable in between counts there.
  const { since } = await findHeldLog(db);
  const lag = await findSubscriptionLag(db, 'analytics');
  if (lag === null) return null;
  const heldSince = since?.toISOString() ?? lag.passedUntil;
  return heldSince < lag.passedUntil ? heldSince : lag.passedUntil;
}
