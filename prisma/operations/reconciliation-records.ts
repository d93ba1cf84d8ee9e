/** Our records of payments and shipments, as a reconciliation compares them with the providers'. Raw: aggregates. */
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { MANUAL_CARRIER } from '../../domain/shipment.ts';
import type { OurShipment, OurPayment } from '../../domain/reconciliation.ts';
import type { Database } from '../client/client.ts';
import { idAfter, idBefore } from '../client/ids.ts';
import { Prisma } from '../generated/client.ts';

/** A more recent change may have reached one side only. */
const SETTLED_AFTER_MS = 60_000;

/** A time span (ISO 8601, `to` exclusive); `after`: the last order of the previous page. */
export interface OrdersWindow {
  readonly from: string;
  readonly to: string;
  readonly after: OrderId | null;
  readonly limit: number;
}

export type PaymentRecord = OurPayment & { readonly orderId: OrderId };
export type ShipmentRecord = OurShipment & { readonly orderId: OrderId };

/** Our payments under these references, or of these orders. */
export function findPaymentRecords(
  db: Database,
  named: { readonly references: readonly string[]; readonly orderIds: readonly string[] },
): Promise<readonly PaymentRecord[]> {
  const orderIds = named.orderIds.filter(isOrderId);
  return queryPayments(
    db,
    Prisma.sql`p.provider_reference = ANY(${[...named.references]}) OR p.order_id = ANY(${orderIds})`,
  );
}

/** Payments of the orders created in a time span. */
export function listPaymentRecords(
  db: Database,
  window: OrdersWindow,
): Promise<readonly PaymentRecord[]> {
  return queryPayments(db, createdIn(window), window.limit);
}

/** The reservations and shipments of these orders. */
export function findShipmentRecords(
  db: Database,
  orderIds: readonly string[],
): Promise<readonly ShipmentRecord[]> {
  return queryShipments(db, Prisma.sql`o.id = ANY(${orderIds.filter(isOrderId)})`);
}

/** The same of the orders created in a time span. */
export function listShipmentRecords(
  db: Database,
  window: OrdersWindow,
): Promise<readonly ShipmentRecord[]> {
  return queryShipments(db, createdIn(window), window.limit);
}

/** By id too: a page ends where the time span does. */
function createdIn({ from, to, after }: OrdersWindow): Prisma.Sql {
  return Prisma.sql`o.created_at >= ${from}::timestamptz AND o.created_at < ${to}::timestamptz
    AND o.id > ${after ?? idBefore('order', Date.parse(from))}
    AND o.id < ${idAfter('order', Date.parse(to))}`;
}

/** More than a page of a provider's list can name. */
const MAX_NAMED = 1_000;

function queryPayments(
  db: Database,
  where: Prisma.Sql,
  limit = MAX_NAMED,
): Promise<readonly PaymentRecord[]> {
  return db.$queryRaw<PaymentRecord[]>`
    SELECT p.order_id AS "orderId", p.provider_reference AS reference, p.status,
      p.amount_minor AS "amountMinor", p.captured_minor AS "capturedMinor",
      p.refunded_minor AS "refundedMinor", COALESCE(pending.minor, 0)::int AS "pendingRefundMinor",
      p.currency, p.captured_manually AS "capturedManually",
      (o.status = 'pending' OR p.refunding_minor > COALESCE(pending.minor, 0)
        OR p.updated_at > now() - ${SETTLED_AFTER_MS} * interval '1 ms'
        OR (o.status IN ('placed', 'reserved', 'paid', 'cancelling') AND EXISTS (
          SELECT 1 FROM payment_operations intent
          WHERE intent.order_id = o.id AND intent.state = 'requested' AND NOT EXISTS (
            SELECT 1 FROM payment_operations outcome
            WHERE outcome.key = intent.key AND outcome.state <> 'requested')
            AND NOT EXISTS (
              SELECT 1 FROM refunds r WHERE r.key = intent.key AND r.accepted_at IS NOT NULL)))
        ) AS "inFlight"
    FROM payments p JOIN orders o ON o.id = p.order_id CROSS JOIN LATERAL (
      SELECT sum(amount_minor - credit_minor) AS minor FROM refunds r
      WHERE r.order_id = p.order_id AND p.refunding_minor > 0 AND r.accepted_at IS NOT NULL
        AND r.settled_at IS NULL) AS pending
    WHERE (${where}) AND p.amount_minor > 0 ORDER BY o.id LIMIT ${limit}`;
}

function queryShipments(
  db: Database,
  where: Prisma.Sql,
  limit = MAX_NAMED,
): Promise<readonly ShipmentRecord[]> {
  return db.$queryRaw<ShipmentRecord[]>`
    SELECT o.id AS "orderId", max(r.status) AS reservation, s.status AS shipment,
      array_agg(r.sku || ' x ' || r.quantity ORDER BY (r.sku || ' x ' || r.quantity) COLLATE "C")
        AS lines,
      (COALESCE(s.carrier = ${MANUAL_CARRIER}, false) OR EXISTS (
        SELECT 1 FROM events e WHERE e.order_id = o.id AND e.type = 'order.attention_resolved'
          AND e.data ->> 'decision' = 'skip'
          AND e.data ->> 'step' IN ('shipOrder', 'releaseStock', 'cancelShipment'))) AS "isManual",
      o.status IN ('pending', 'placed', 'reserved', 'paid', 'cancelling', 'needs_attention') AS "inProgress",
      (o.status = 'pending' OR max(r.updated_at) > now() - ${SETTLED_AFTER_MS} * interval '1 ms')
        AS "inFlight"
    FROM orders o JOIN order_lines l ON l.order_id = o.id
      -- The warehouse knows nothing of a line of which it has nothing.
      JOIN reservations r ON (r.order_id, r.sku) = (l.order_id, l.sku)
        AND l.reserved_quantity IS DISTINCT FROM 0
      LEFT JOIN shipments s ON s.order_id = o.id
    WHERE ${where}
    GROUP BY o.id, s.status, s.carrier ORDER BY o.id LIMIT ${limit}`;
}
