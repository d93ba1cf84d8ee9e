/** Orders as an audit compares them with Temporal, with the providers, with a client's list. */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { Database } from '../client/client.ts';

export interface AuditedOrder {
  readonly id: OrderId;
  readonly status: OrderStatus;
  readonly wasPlaced: boolean;
  readonly shipmentStatus: string | null;
  /** Steps a person took as settled by hand. */
  readonly isManual: readonly string[];
}

/** A person behind an order: what may be found nowhere but here. */
export interface OrderPerson {
  readonly orderId: OrderId;
  readonly email: string;
  readonly name: string;
  readonly phone: string | null;
  readonly line1: string | null;
  readonly line2: string | null;
  readonly paymentMethod: string | null;
  /** What they ordered: a SKU may contain their name. */
  readonly skus: readonly string[];
}

/** One intent at the payment provider, as our books have it. */
export interface AuditedIntent {
  readonly key: string;
  readonly kind: string;
  readonly orderId: OrderId;
  readonly amountMinor: number;
  readonly currency: string;
  readonly succeeded: boolean;
}

/** One statement's worth of ids. */
const CHUNK = 5_000;

/** Those of the orders that exist, by id. */
export async function findAuditedOrders(
  db: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AuditedOrder>> {
  const found = new Map<string, AuditedOrder>();
  for (let at = 0; at < ids.length; at += CHUNK) {
    const rows = await db.$queryRaw<AuditedOrder[]>`
      SELECT o.id, o.status, o.placed_at IS NOT NULL AS "wasPlaced", s.status AS "shipmentStatus",
        ARRAY(SELECT e.data ->> 'step' FROM events e
          WHERE e.order_id = o.id AND e.type = 'order.attention_resolved'
            AND e.data ->> 'decision' = 'skip') AS "isManual"
      FROM orders o LEFT JOIN shipments s ON s.order_id = o.id
      WHERE o.id = ANY(${ids.slice(at, at + CHUNK)}::text[])`;
    for (const row of rows) found.set(row.id, row);
  }
  return found;
}

/**
 * Orders that a workflow has to carry, placed at least `graceMs` ago. Parked with the step
 * `checkout` means that its workflow is gone, and that a person has been asked.
 */
export async function listMovingOrders(
  db: Database,
  asked: { readonly graceMs: number; readonly limit: number },
): Promise<readonly OrderId[]> {
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT id FROM orders
    WHERE status IN ('placed', 'reserved', 'paid', 'cancelling', 'needs_attention')
      AND attention_step IS DISTINCT FROM 'checkout'
      AND placed_at < now() - ${asked.graceMs}::float8 * interval '1 ms'
    ORDER BY id LIMIT ${asked.limit}`;
  return rows.map(({ id }) => id);
}

/** The persons behind the orders. */
export async function findOrderPersons(
  db: Database,
  ids: readonly string[],
): Promise<readonly OrderPerson[]> {
  return db.$queryRaw<OrderPerson[]>`
    SELECT o.id AS "orderId", o.customer_email AS email, o.customer_name AS name,
      o.customer_phone AS phone, o.shipping_address ->> 'line1' AS line1,
      o.shipping_address ->> 'line2' AS line2, p.payment_method AS "paymentMethod",
      ARRAY(SELECT l.sku FROM order_lines l WHERE l.order_id = o.id) AS skus
    FROM orders o LEFT JOIN payments p ON p.order_id = o.id
    WHERE o.id = ANY(${ids.slice(0, CHUNK)}::text[])`;
}

/** Every intent that was ever written down, and whether it is known to have succeeded. */
export async function listAuditedIntents(db: Database): Promise<readonly AuditedIntent[]> {
  return db.$queryRaw<AuditedIntent[]>`
    SELECT key, min(kind) AS kind, min(order_id) AS "orderId", min(amount_minor) AS "amountMinor",
      min(currency) AS currency, bool_or(state = 'succeeded') AS succeeded
    FROM payment_operations GROUP BY key ORDER BY key`;
}
