/**
 * The shipping request, and whether the cases of the payment hold it
 * (docs/decisions/0038-hold-a-shipment-while-a-case-is-open.md). Raw for the database's clock.
 */
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { ShippingAddress } from '../../domain/order.ts';
import { ADVERSE_STATUSES, type CaseKind } from '../../domain/payment-case.ts';
import type { StockRequest } from '../catalog/stock.ts';
import type { Database } from '../client/client.ts';
import { readAddress } from '../client/columns.ts';
import { newId } from '../client/ids.ts';
import { Prisma } from '../generated/client.ts';
import { transitionAlone } from './transition.ts';

/** What the warehouse is to send, and where to. */
export interface ShipmentRequest {
  /** False while the order is held, and once it is being cancelled: read `heldFor` first. */
  readonly isRequested: boolean;
  /** The cases that hold the shipment: nothing was recorded. */
  readonly heldFor: readonly HoldingCase[];
  readonly lines: readonly StockRequest[];
  readonly recipient: { readonly name: string; readonly address: ShippingAddress };
}

/** A case of the payment that speaks against shipping. */
export interface HoldingCase {
  readonly kind: CaseKind;
  readonly id: string;
  /** It may still be closed in favor of the shipment. */
  readonly isOpen: boolean;
}

/**
 * Records the shipping request, before the warehouse is called; null when no such order exists. The
 * order's row lock keeps a cancel out; no event is written, so the lock of `orderTransaction` is not
 * needed. A conflict is an update, because only that returns the row of a concurrent attempt: the
 * statement's own snapshot does not have it. An order that is being cancelled has no row in `asked`.
 */
export async function recordShipmentRequested(
  db: Database,
  orderId: OrderId,
  policy: { readonly isHeld: boolean } = { isHeld: true },
): Promise<ShipmentRequest | null> {
  const rows = await db.$queryRaw<ToShip[]>`
    WITH holding AS MATERIALIZED (${policy.isHeld ? holdingCases(orderId) : NO_CASES}),
    kept AS (
      SELECT id FROM orders WHERE id = ${orderId} AND cancel_reason IS NULL
        AND NOT EXISTS (SELECT FROM holding) FOR NO KEY UPDATE),
    asked AS (
      INSERT INTO shipments (id, order_id, correlation_id, status)
      SELECT ${newId('shipment')}, id, ${shipmentCorrelationId(orderId)}, 'requested' FROM kept
      ON CONFLICT (order_id) DO UPDATE SET order_id = EXCLUDED.order_id RETURNING status)
    SELECT customer_name AS name, shipping_address AS address, (
      SELECT jsonb_agg(jsonb_build_object('sku', sku, 'quantity', COALESCE(reserved_quantity, quantity))
        ORDER BY position)
      FROM order_lines WHERE order_id = orders.id AND reserved_quantity IS DISTINCT FROM 0) AS lines,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('kind', kind, 'id', id, 'isOpen', is_open)
        ORDER BY id) FROM holding WHERE cancel_reason IS NULL), '[]') AS "heldFor",
      EXISTS (SELECT FROM asked WHERE status <> 'cancelled') OR EXISTS (
        SELECT FROM shipments WHERE order_id = orders.id AND status <> 'cancelled') AS "isRequested"
    FROM orders WHERE id = ${orderId}`;
  const [order] = rows;
  if (!order) return null;
  const { isRequested, heldFor, lines } = order;
  return {
    isRequested,
    heldFor,
    lines,
    recipient: { name: order.name, address: readAddress(order.address) },
  };
}

const NO_CASES = Prisma.sql`SELECT NULL AS id, NULL AS kind, NULL::boolean AS is_open WHERE false`;

interface ToShip {
  readonly isRequested: boolean;
  readonly heldFor: readonly HoldingCase[];
  readonly name: string;
  readonly address: Prisma.JsonValue;
  readonly lines: readonly StockRequest[];
}

/**
 * The cases that hold the shipment of an order, as a query: open ones, and closed ones that speak against
 * it. None holds it once the shipment was requested, or once a person has decided after the hold to ship.
 */
function holdingCases(orderId: OrderId): Prisma.Sql {
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

/** Records that the shipment is held, once. Returns for how long it has been, in milliseconds. */
export async function recordShipmentHeld(
  db: Database,
  orderId: OrderId,
  cases: readonly string[],
): Promise<number> {
  const type = 'order.shipment_held';
  const change = await transitionAlone(db, { orderId, type, data: { cases } });
  if (change.kind === 'changed') return 0;
  const [held] = await db.$queryRaw<{ ms: number }[]>`
    SELECT (extract(epoch FROM now() - time) * 1000)::float8 AS ms FROM events
    WHERE order_id = ${orderId} AND dedup_key = ${type}`;
  return Math.max(0, Math.floor(held?.ms ?? 0));
}
