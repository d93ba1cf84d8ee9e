/** The warehouse's planning feed: per batch of events, the units of each SKU ordered, shipped, cancelled. */
import type { OrderEvent } from '../../domain/order.ts';
import type { Transaction } from '../client/client.ts';

/** The events that change the units to pick. */
export const FEED_TYPES = ['order.placed', 'order.shipped', 'order.cancelled'] as const;

/**
 * Writes one batch. What an order ships less than was ordered is cancelled with its shipment. Its lines are `{sku, ordered, shipped, cancelled}` in units, sorted by SKU; over
 * all batches `ordered - shipped - cancelled` is what is still to be picked.
 */
export async function writeFeedBatch(
  tx: Transaction,
  events: readonly Pick<OrderEvent, 'id' | 'type' | 'orderId'>[],
): Promise<void> {
  const [first] = events;
  if (!first) return;
  const given = JSON.stringify(events.map(({ type, orderId }) => ({ type, orderId })));
  // Raw: one statement aggregates and inserts.
  await tx.$executeRaw`
    WITH per_sku AS (
      SELECT l.sku,
        COALESCE(sum(l.quantity) FILTER (WHERE e.type = 'order.placed'), 0) AS ordered,
        COALESCE(sum(COALESCE(l.reserved_quantity, l.quantity))
          FILTER (WHERE e.type = 'order.shipped'), 0) AS shipped,
        COALESCE(sum(l.quantity) FILTER (WHERE e.type = 'order.cancelled'), 0)
          + COALESCE(sum(l.quantity - l.reserved_quantity) FILTER (WHERE e.type = 'order.shipped'), 0)
          AS cancelled
      FROM jsonb_to_recordset(${given}::jsonb) AS e (type text, "orderId" text)
      JOIN order_lines l ON l.order_id = e."orderId"
      GROUP BY l.sku)
    INSERT INTO warehouse_feed_batches (first_event_id, events, lines)
    SELECT ${first.id}::uuid, ${events.length}, COALESCE(jsonb_agg(jsonb_build_object(
      'sku', sku, 'ordered', ordered, 'shipped', shipped, 'cancelled', cancelled) ORDER BY sku), '[]')
    FROM per_sku`;
}
