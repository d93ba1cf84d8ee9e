/**
 * Whether the cases of a payment hold its shipment (docs/decisions/0038-hold-a-shipment-while-a-case-is-open.md).
 * Raw for the database's clock.
 */
import type { OrderId } from '../../domain/ids.ts';
import { ADVERSE_STATUSES } from '../../domain/payment-case.ts';
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { transitionAlone } from './transition.ts';

/**
 * The cases that hold the shipment of an order, as a query: open ones, and closed ones that speak against
 * it. None holds it once the shipment was requested, or once a person has decided after the hold to ship.
 */
export function holdingCases(orderId: OrderId): Prisma.Sql {
  return Prisma.sql`
    SELECT c.id, c.kind, c.is_open FROM payment_cases c
    WHERE c.order_id = ${orderId}
      AND (c.is_open OR c.status = ANY (${[...ADVERSE_STATUSES]}::text[]))
      AND NOT EXISTS (SELECT FROM shipments s WHERE s.order_id = c.order_id)
      AND NOT EXISTS (
        SELECT FROM events held JOIN events decided ON decided.order_id = held.order_id
        WHERE held.order_id = c.order_id AND held.dedup_key = 'order.shipment_held'
          AND decided.type = 'order.attention_resolved' AND decided.seq > held.seq
          AND decided.data ->> 'decision' = 'retry'
          AND decided.data ->> 'step' IN ('shipOrder', 'checkout'))`;
}

/** Records that the shipment is held, once. Returns since when (ISO 8601). */
export async function recordShipmentHeld(
  db: Database,
  orderId: OrderId,
  cases: readonly string[],
): Promise<string> {
  const type = 'order.shipment_held';
  const change = await transitionAlone(db, { orderId, type, data: { cases } });
  if (change.kind === 'changed') return change.at;
  const held = await db.event.findFirstOrThrow({
    where: { orderId, dedupKey: type },
    select: { time: true },
  });
  return held.time.toISOString();
}
