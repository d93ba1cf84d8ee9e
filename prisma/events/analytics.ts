/**
 * The sales figures per hour (UTC), SKU and currency. Only adds: the caller makes sure that an event
 * is counted once.
 */
import type { OrderEvent } from '../../domain/order.ts';
import type { Transaction } from '../client/client.ts';

/** The events that change a figure: an order placed, declined or cancelled. */
export const COUNTED_TYPES = ['order.placed', 'order.declined', 'order.cancelled'] as const;

/**
 * Adds the events to the hours they happened in, once per line of their order. Units and revenue
 * (minor units) are those of placed orders, gross: a compensation subtracts nothing.
 */
export async function addToAnalytics(
  tx: Transaction,
  events: readonly Pick<OrderEvent, 'type' | 'orderId' | 'time'>[],
): Promise<void> {
  const given = JSON.stringify(events.map(({ type, orderId, time }) => ({ type, orderId, time })));
  // Raw: one upsert that aggregates. Sorted, so that two writers cannot deadlock.
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
    WHERE e.type = ANY(${[...COUNTED_TYPES]})
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (hour, sku, currency) DO UPDATE SET
      orders = total.orders + EXCLUDED.orders,
      units = total.units + EXCLUDED.units,
      revenue_minor = total.revenue_minor + EXCLUDED.revenue_minor,
      declines = total.declines + EXCLUDED.declines,
      compensations = total.compensations + EXCLUDED.compensations`;
}
