/** Orders as an audit compares them with Temporal, the providers and a client's list. */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { Database } from '../client/client.ts';
import { readAddress, uncheckedColumn } from '../client/columns.ts';
import type { PaymentOperationKind } from '../generated/enums.ts';

export interface AuditedOrder {
  readonly id: OrderId;
  readonly status: OrderStatus;
  readonly wasPlaced: boolean;
  readonly shipmentStatus: string | null;
  /** Steps that a person recorded as done manually. */
  readonly manualSteps: readonly string[];
}

/** The personal data of an order, which must be found nowhere but here. */
export interface OrderPerson {
  readonly orderId: OrderId;
  readonly email: string;
  readonly name: string;
  readonly phone: string | null;
  readonly line1: string;
  readonly line2: string | null;
  readonly paymentMethod: string | null;
  /** The ordered SKUs: one may contain the name. */
  readonly skus: readonly string[];
}

/** One intent at the payment provider, as our records have it. */
export interface AuditedIntent {
  readonly key: string;
  readonly kind: PaymentOperationKind;
  readonly orderId: OrderId;
  readonly amountMinor: number;
  readonly currency: string;
  readonly succeeded: boolean;
}

/** Ids per statement. */
const CHUNK = 5_000;

/** Those of the orders that exist, by id. Raw: an array of the steps of its events. */
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
            AND e.data ->> 'decision' = 'skip') AS "manualSteps"
      FROM orders o LEFT JOIN shipments s ON s.order_id = o.id
      WHERE o.id = ANY(${ids.slice(at, at + CHUNK)}::text[])`;
    for (const row of rows) found.set(row.id, row);
  }
  return found;
}

/**
 * Orders that need a running workflow, placed at least `graceMs` ago. An order that waits with the step
 * `checkout` has lost its workflow, and an operator was asked. Raw for the database's clock.
 */
export async function listMovingOrders(
  db: Database,
  filter: { readonly graceMs: number; readonly limit: number },
): Promise<readonly OrderId[]> {
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT id FROM orders
    WHERE status IN ('placed', 'reserved', 'paid', 'cancelling', 'needs_attention')
      AND attention_step IS DISTINCT FROM 'checkout'
      AND placed_at < now() - ${filter.graceMs}::float8 * interval '1 ms'
    ORDER BY id LIMIT ${filter.limit}`;
  return rows.map(({ id }) => id);
}

/** The personal data of the orders that were not erased. */
export async function findOrderPersons(
  db: Database,
  ids: readonly string[],
): Promise<readonly OrderPerson[]> {
  const rows = await db.order.findMany({
    where: { id: { in: ids.slice(0, CHUNK) }, erasedAt: null },
    include: {
      payment: { select: { paymentMethod: true } },
      lines: { select: { sku: true } },
    },
  });
  return rows.map((row) => {
    const { line1, line2 = null } = readAddress(row.shippingAddress);
    return {
      orderId: uncheckedColumn<OrderId>(row.id),
      email: row.customerEmail,
      name: row.customerName,
      phone: row.customerPhone,
      line1,
      line2,
      paymentMethod: row.payment?.paymentMethod ?? null,
      skus: row.lines.map(({ sku }) => sku),
    };
  });
}

/** Every recorded intent, and whether it is known to have succeeded, for good. Raw: bool_or. */
export async function listAuditedIntents(db: Database): Promise<readonly AuditedIntent[]> {
  return db.$queryRaw<AuditedIntent[]>`
    SELECT key, min(kind) AS kind, min(order_id) AS "orderId", min(amount_minor) AS "amountMinor",
      min(currency) AS currency, bool_or(state = 'succeeded') AND NOT bool_or(state = 'reversed') AS succeeded
    FROM payment_operations GROUP BY key ORDER BY key`;
}
