/**
 * Erases a person from our records (Article 17 GDPR): orders, money and stock stay, the person goes.
 * Each order is erased in one transaction, so an interrupted erasure is continued by repeating it. Raw
 * SQL for the database's clock and for changes of JSON.
 */
import { ERASED, PERSONAL_EVENT_MEMBERS } from '../../domain/erasure.ts';
import type { CustomerId, OrderId } from '../../domain/ids.ts';
import type { Money } from '../../domain/money.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';
import type { Database, Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { isAbout, isCallAbout } from './messages.ts';
import { orderTransaction, transitionOrder } from '../orders/transition.ts';

/** `system`: the retention period. */
export type Eraser = Operator | 'system';

/** Nothing about the order moves any more. Literals, so that PostgreSQL uses `orders_erasable`. */
export const IS_SETTLED = Prisma.sql`
  o.status IN ('shipped', 'delivered', 'cancelled', 'declined', 'expired')
  AND NOT EXISTS (SELECT FROM refunds r
    WHERE r.order_id = o.id
      AND r.status IN ('requested', 'pending', 'requires_action', 'needs_attention'))`;

/** Orders of the e-mail that must not be erased yet, because they or a refund of theirs are under way. */
export async function listUnderWay(
  db: Database,
  { email, limit }: { readonly email: string; readonly limit: number },
): Promise<readonly OrderId[]> {
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT o.id FROM orders o WHERE o.customer_email = ${email} AND NOT (${IS_SETTLED})
    ORDER BY o.id LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/** Settled orders of the e-mail, oldest first. An erased order has no e-mail. */
export async function listErasable(
  db: Database,
  { email, limit }: { readonly email: string; readonly limit: number },
): Promise<readonly OrderId[]> {
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT o.id FROM orders o WHERE o.customer_email = ${email} AND ${IS_SETTLED}
    ORDER BY o.id LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/**
 * Erases the person from an order and from all that belongs to it, and records the event `order.erased`,
 * which notifies every recipient of events (Article 19 GDPR). False: it was erased before, or is
 * under way.
 */
export async function eraseOrder(db: Database, orderId: OrderId, by: Eraser): Promise<boolean> {
  return orderTransaction(db, orderId, (tx) => eraseOrderWithin(tx, orderId, by));
}

interface ErasedCustomer {
  readonly email: string;
  readonly by: Eraser;
  /** How many orders were erased, for the record. */
  readonly orders: number;
}

/** The customer is erased, was not known, or still has an order that is not erased. */
export type CustomerErasure =
  | {
      readonly kind: 'erased';
      readonly customerId: CustomerId;
      /** Store credit that can no longer be spent. */
      readonly creditLeft: readonly Money[];
    }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'has_orders' };

/**
 * Erases the customer of the e-mail once all orders are erased. The lock on the row excludes a concurrent
 * order of the same e-mail (`findOrAddCustomer`): it is either seen here, or gets a new customer. The
 * audit log records who erased, and for how many orders, under the customer's random id: nothing can be
 * computed back from it.
 */
export async function eraseCustomer(
  db: Database,
  customer: ErasedCustomer,
): Promise<CustomerErasure> {
  return db.$transaction((tx) => eraseCustomerWithin(tx, customer));
}

/** Within the order's transaction. */
export async function eraseOrderWithin(
  tx: Transaction,
  orderId: OrderId,
  by: Eraser,
): Promise<boolean> {
  const settled = await tx.$queryRaw<unknown[]>`
    SELECT FROM orders o WHERE o.id = ${orderId} AND o.erased_at IS NULL AND ${IS_SETTLED}`;
  if (settled.length === 0) return false;
  const actor = by === 'system' ? by : by.apiKeyId;
  await transitionOrder(tx, { orderId, type: 'order.erased', data: { actor } });
  await eraseFromOrder(tx, orderId);
  await eraseFromEvents(tx, orderId);
  await eraseFromMessages(tx, orderId);
  return true;
}

export async function eraseCustomerWithin(
  tx: Transaction,
  { email, by, orders }: ErasedCustomer,
): Promise<CustomerErasure> {
  const [customer] = await tx.$queryRaw<{ id: CustomerId }[]>`
    SELECT id FROM customers WHERE email = ${email} FOR UPDATE`;
  if ((await tx.order.count({ where: { customerEmail: email } })) > 0) {
    return { kind: 'has_orders' };
  }
  // What is not processed yet keeps the ids that its handler needs.
  await tx.$executeRaw`
    UPDATE inbox i SET body = NULL, payload = CASE WHEN processed_at IS NOT NULL THEN '{}' ELSE (
      SELECT COALESCE(jsonb_object_agg(key, value), '{}') FROM jsonb_each(payload)
      WHERE key IN ('object', 'reference', 'refundedMinor')) END
    WHERE ${isAbout(email)}`;
  // The person may have asked for a mail about a report, too.
  await tx.$executeRaw`UPDATE jobs SET notify_email = NULL WHERE notify_email = ${email}`;
  if (!customer) return { kind: 'unknown' };
  const { id: customerId } = customer;
  await tx.$executeRaw`
    UPDATE customers SET email = NULL, name = ${ERASED}, phone = NULL, language = NULL,
      sms_consent = false, registered_at = NULL, version = version + 1, updated_at = now()
    WHERE id = ${customerId}`;
  await tx.$executeRaw`
    UPDATE idempotency_keys k
    SET fingerprint = ${ERASED}, body = json_build_object('id', ${customerId}::text)::text
    WHERE ${isCallAbout(Prisma.sql`${customerId}`)}`;
  const creditLeft = await eraseFromLedger(tx, customerId);
  const action = { action: 'customer.erased', subject: customerId, data: { orders } };
  await recordAction(tx, by, action);
  return { kind: 'erased', customerId, creditLeft };
}

/** The ledger stays under the customer's random id; the texts of operators go. Returns what is left. */
async function eraseFromLedger(tx: Transaction, customerId: CustomerId): Promise<readonly Money[]> {
  await tx.$executeRaw`
    UPDATE credit_entries SET reason = ${ERASED}
    WHERE customer_id = ${customerId} AND reason <> ${ERASED}`;
  return tx.$queryRaw<Money[]>`
    SELECT balance_minor::float8 AS "amountMinor", currency FROM credit_accounts
    WHERE customer_id = ${customerId} AND balance_minor > 0 ORDER BY currency`;
}

async function eraseFromOrder(tx: Transaction, orderId: OrderId): Promise<void> {
  await tx.$executeRaw`
    WITH on_payment AS (
      UPDATE payments SET payment_method = ${ERASED}
      WHERE order_id = ${orderId} AND payment_method IS NOT NULL),
    on_adjustments AS (
      UPDATE order_adjustments SET label = ${ERASED} WHERE order_id = ${orderId}),
    on_terms AS (DELETE FROM order_terms WHERE order_id = ${orderId}),
    on_refunds AS (
      UPDATE refunds SET reason = ${ERASED} WHERE order_id = ${orderId} AND reason IS NOT NULL),
    on_shipment AS (
      UPDATE shipments SET tracking_number = ${ERASED}
      WHERE order_id = ${orderId} AND tracking_number IS NOT NULL)
    UPDATE orders SET erased_at = now(), customer_email = ${ERASED}, customer_name = ${ERASED},
      customer_phone = NULL, customer_sms_consent = false, shipping_address = jsonb_build_object('line1', ${ERASED}::text,
        'city', ${ERASED}::text, 'country', shipping_address -> 'country')
    WHERE id = ${orderId}`;
}

/** The log admits this change and no other. The response of a webhook receiver may quote anything. */
async function eraseFromEvents(tx: Transaction, orderId: OrderId): Promise<void> {
  const members = [...PERSONAL_EVENT_MEMBERS];
  await tx.$executeRaw`
    WITH on_attempts AS (
      UPDATE webhook_attempts SET response = NULL WHERE response IS NOT NULL
        AND event_id IN (SELECT id FROM events WHERE order_id = ${orderId}))
    UPDATE events SET data = (
      SELECT jsonb_object_agg(key,
        CASE WHEN key = ANY(${members}::text[]) THEN to_jsonb(${ERASED}::text) ELSE value END)
      FROM jsonb_each(data))
    WHERE order_id = ${orderId} AND data ?| ${members}::text[]`;
}

/**
 * Stored responses lose their fingerprint too: a repeated request gets 422, and no second order.
 * No recipient is left, so failed notifications are closed. `closeMessages` erases later messages.
 */
async function eraseFromMessages(tx: Transaction, orderId: OrderId): Promise<void> {
  await tx.$executeRaw`
    WITH on_keys AS (
      UPDATE idempotency_keys SET fingerprint = ${ERASED},
        body = CASE WHEN body IS NOT NULL THEN json_build_object('id', ${orderId}::text)::text END
      WHERE order_id = ${orderId}
        OR (scope LIKE 'POST /v1/orders/%' AND split_part(scope, '/', 4) = ${orderId})),
    on_inbox AS (
      UPDATE inbox SET payload = '{}', body = NULL
      WHERE order_id = ${orderId} AND processed_at IS NOT NULL),
    on_attempts AS (DELETE FROM step_attempts WHERE order_id = ${orderId})
    UPDATE dead_letters SET message = message - 'data',
      note = CASE WHEN note IS NOT NULL THEN ${ERASED} END,
      status = CASE WHEN source = 'notification' AND status IN ('open', 'redriven')
        THEN 'resolved' ELSE status END,
      decided_at = CASE WHEN source = 'notification' THEN COALESCE(decided_at, now())
        ELSE decided_at END
    WHERE order_id = ${orderId}`;
}
