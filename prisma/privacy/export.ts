/**
 * What our records hold about a person, as whole rows: a new column is in the export without a change
 * here. Raw: PostgreSQL builds the JSON.
 */
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { isAbout, isCallAbout } from './messages.ts';
import type { CustomerId, OrderId } from '../../domain/ids.ts';

/** The bytes of a message `i` as text. */
const MESSAGE = Prisma.sql`to_jsonb(i) || jsonb_build_object('body', encode(i.body, 'escape'))`;

/** A row, its columns by their names in the database. */
type Row = Readonly<Record<string, unknown>>;

/** The customer of the e-mail, or null. */
export async function exportCustomer(
  db: Database,
  email: string,
): Promise<{ readonly id: CustomerId; readonly row: Row } | null> {
  const rows = await db.$queryRaw<{ id: CustomerId; row: Row }[]>`
    SELECT id, to_jsonb(c) || jsonb_build_object(
      'stored_responses', (SELECT COALESCE(jsonb_agg(k ORDER BY k.created_at), '[]')
        FROM idempotency_keys k WHERE ${isCallAbout(Prisma.sql`c.id`)}),
      'credit_accounts', (SELECT COALESCE(jsonb_agg(a ORDER BY a.currency), '[]')
        FROM credit_accounts a WHERE a.customer_id = c.id),
      'credit_entries', (SELECT COALESCE(jsonb_agg(e ORDER BY e.id), '[]')
        FROM credit_entries e WHERE e.customer_id = c.id)
    ) AS row
    FROM customers c WHERE email = ${email}`;
  return rows[0] ?? null;
}

/**
 * Orders of the e-mail with every row that belongs to them, oldest first, one page after `after`.
 */
export async function exportOrders(
  db: Database,
  {
    email,
    after,
    limit,
  }: { readonly email: string; readonly after: OrderId | null; readonly limit: number },
): Promise<readonly { readonly id: OrderId; readonly row: Row }[]> {
  return db.$queryRaw`
    SELECT o.id, to_jsonb(o) || jsonb_build_object(
      'lines', (SELECT COALESCE(jsonb_agg(l ORDER BY l.position), '[]')
        FROM order_lines l WHERE l.order_id = o.id),
      'adjustments', (SELECT COALESCE(jsonb_agg(a ORDER BY a.position), '[]')
        FROM order_adjustments a WHERE a.order_id = o.id),
      'payment', (SELECT to_jsonb(p) FROM payments p WHERE p.order_id = o.id),
      'payment_cases', (SELECT COALESCE(jsonb_agg(c ORDER BY c.opened_at, c.id), '[]')
        FROM payment_cases c WHERE c.order_id = o.id),
      'payment_operations', (SELECT COALESCE(jsonb_agg(p ORDER BY p.id), '[]')
        FROM payment_operations p WHERE p.order_id = o.id),
      'search_terms', (SELECT COALESCE(jsonb_agg(t.term ORDER BY t.term), '[]')
        FROM order_terms t WHERE t.order_id = o.id),
      'refunds', (SELECT COALESCE(jsonb_agg(r ORDER BY r.id), '[]')
        FROM refunds r WHERE r.order_id = o.id),
      'refund_lines', (SELECT COALESCE(jsonb_agg(l ORDER BY l.refund_id, l.sku), '[]')
        FROM refund_lines l JOIN refunds r ON r.id = l.refund_id WHERE r.order_id = o.id),
      'shipment', (SELECT to_jsonb(s) FROM shipments s WHERE s.order_id = o.id),
      'events', (SELECT COALESCE(jsonb_agg(e ORDER BY e.seq), '[]')
        FROM events e WHERE e.order_id = o.id),
      'stored_responses', (SELECT COALESCE(jsonb_agg(k ORDER BY k.created_at), '[]')
        FROM idempotency_keys k WHERE k.order_id = o.id
          OR (k.scope LIKE 'POST /v1/orders/%' AND split_part(k.scope, '/', 4) = o.id)),
      'messages', (SELECT COALESCE(jsonb_agg(${MESSAGE} ORDER BY i.received_at), '[]')
        FROM inbox i WHERE i.order_id = o.id),
      'dead_letters', (SELECT COALESCE(jsonb_agg(d ORDER BY d.id), '[]')
        FROM dead_letters d WHERE d.order_id = o.id),
      'failed_attempts', (SELECT COALESCE(jsonb_agg(a ORDER BY a.step), '[]')
        FROM step_attempts a WHERE a.order_id = o.id),
      'webhook_attempts', (SELECT COALESCE(jsonb_agg(w ORDER BY w.id), '[]')
        FROM webhook_attempts w JOIN events e ON e.id = w.event_id WHERE e.order_id = o.id)
    ) AS row
    FROM orders o
    WHERE o.customer_email = ${email} AND o.id > ${after ?? ''}
    ORDER BY o.id LIMIT ${limit}`;
}

/** Messages of providers that name no order of ours, but the e-mail. */
export async function exportMessages(db: Database, email: string): Promise<readonly Row[]> {
  const rows = await db.$queryRaw<{ row: Row }[]>`
    SELECT ${MESSAGE} AS row FROM inbox i WHERE ${isAbout(email)} ORDER BY received_at`;
  return rows.map(({ row }) => row);
}

/** Jobs whose end is mailed to the address. */
export async function exportJobs(db: Database, email: string): Promise<readonly Row[]> {
  const rows = await db.$queryRaw<{ row: Row }[]>`
    SELECT to_jsonb(j) AS row FROM jobs j WHERE notify_email = ${email} ORDER BY id`;
  return rows.map(({ row }) => row);
}
