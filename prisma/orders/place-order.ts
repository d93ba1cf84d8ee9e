/**
 * The synchronous half of an order: opened with its stock held in one transaction, then settled as
 * placed or declined in another. No transaction is open while the payment provider is called. Raw SQL
 * writes many rows in one statement, because the shopper waits for each round trip.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Customer, Order, OrderLine, ShippingAddress } from '../../domain/order.ts';
import type { Shortage } from '../../domain/product.ts';
import { eventOf, orderTransaction, transitionOrder } from './transition.ts';
import type { Database, Transaction } from '../client/client.ts';
import { claimKey, KeyTakenError, storeResponse } from '../access/idempotency.ts';
import type { KeyClaim, StoredResponse } from '../access/idempotency.ts';
import { newId } from '../client/ids.ts';
import { findShortages, holdStock, releaseHold, StockShortError } from '../catalog/stock.ts';

export interface OrderDraft {
  readonly customer: Omit<Customer, 'id'>;
  readonly shippingAddress: ShippingAddress;
  readonly lines: readonly OrderLine[];
  readonly currency: string;
  readonly totalMinor: number;
  readonly paymentMethod: string;
  readonly correlationId: string;
  readonly traceparent: string | null;
}

export type OpenOutcome =
  | { readonly kind: 'opened'; readonly order: Order }
  | { readonly kind: 'out_of_stock'; readonly shortages: readonly Shortage[] }
  | { readonly kind: 'key_taken' };

/** No attempt places the order after this: its stock is released and its authorization voided. */
const PENDING_DEADLINE_MS = 120_000;

/** Claims the key, writes the pending order with its payment intent, and holds the stock: all or nothing. */
export async function openOrder(
  db: Database,
  claim: KeyClaim,
  draft: OrderDraft,
): Promise<OpenOutcome> {
  const orderId = newId('order');
  try {
    const order = await db.$transaction(async (tx) => {
      if (!(await claimKey(tx, { ...claim, orderId }))) throw new KeyTakenError();
      const opened = await insertPending(tx, orderId, draft);
      await holdStock(tx, draft.lines);
      return opened;
    });
    return { kind: 'opened', order };
  } catch (error) {
    if (error instanceof KeyTakenError) return { kind: 'key_taken' };
    if (error instanceof StockShortError) {
      return { kind: 'out_of_stock', shortages: await findShortages(db, draft.lines) };
    }
    throw error;
  }
}

export type SettleOutcome =
  | { readonly kind: 'settled'; readonly response: StoredResponse }
  /** Another attempt settled the order first; read its outcome. */
  | { readonly kind: 'superseded' };

interface Placed {
  readonly reference: string;
  readonly captureBefore?: string | null;
  readonly response: (placed: Order) => StoredResponse;
}

/** Rolls back the placement of an order whose authorization is being voided. */
class VoidRequestedError extends Error {}

/** Order `placed`, payment `authorized`, event, stored response: one transaction. */
export async function recordPlaced(
  db: Database,
  order: Order,
  settled: Placed,
): Promise<SettleOutcome> {
  try {
    return await orderTransaction(db, order.id, (tx) => writePlaced(tx, order, settled));
  } catch (error) {
    if (error instanceof VoidRequestedError) return { kind: 'superseded' };
    throw error;
  }
}

async function writePlaced(tx: Transaction, order: Order, settled: Placed): Promise<SettleOutcome> {
  const change = await transitionOrder(tx, {
    orderId: order.id,
    type: 'order.placed',
    to: 'placed',
    data: { total_minor: order.totalMinor, currency: order.currency },
  });
  if (change.kind !== 'changed') return { kind: 'superseded' };
  const { reference, captureBefore = null } = settled;
  const held = { reference, captureBefore, code: null };
  const { isVoidRequested } = await settleAuthorization(tx, order, { ...held, state: 'succeeded' });
  if (isVoidRequested) throw new VoidRequestedError();
  const response = settled.response({
    ...order,
    status: 'placed',
    version: change.version,
    updatedAt: change.at,
  });
  await storeResponse(tx, order.id, response);
  return { kind: 'settled', response };
}

/** Order `declined`, stock released, event, stored response: one transaction. */
export async function recordDeclined(
  db: Database,
  order: Order,
  settled: {
    readonly code: string;
    readonly reference: string | null;
    readonly response: StoredResponse;
  },
): Promise<SettleOutcome> {
  return orderTransaction(db, order.id, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId: order.id,
      type: 'order.declined',
      to: 'declined',
      data: { decline_code: settled.code },
    });
    if (change.kind !== 'changed') return { kind: 'superseded' };
    await settleAuthorization(tx, order, { ...settled, state: 'refused' });
    await storeResponse(tx, order.id, settled.response);
    await releaseHold(tx, order.id);
    return { kind: 'settled', response: settled.response };
  });
}

/**
 * Everything an order starts with, its customer and its first event, in one statement. The lock on a
 * known customer excludes an erasure, which either sees this order or comes before it.
 */
async function insertPending(tx: Transaction, id: OrderId, draft: OrderDraft): Promise<Order> {
  const { customer, totalMinor, currency } = draft;
  const lines = JSON.stringify(draft.lines.map((line, position) => ({ ...line, position })));
  const rows = await tx.$queryRaw<Pending[]>`
    WITH lines AS (
      SELECT * FROM jsonb_to_recordset(${lines}::jsonb) AS line
        (sku text, position integer, name text, quantity integer, "unitPriceMinor" integer)),
    known AS (SELECT id FROM customers WHERE email = ${customer.email} FOR KEY SHARE),
    added AS (
      INSERT INTO customers (id, email, name, phone)
      SELECT ${newId('customer')}, ${customer.email}, ${customer.name}, ${customer.phone}
      WHERE NOT EXISTS (SELECT 1 FROM known)
      ON CONFLICT (email) DO UPDATE SET email = EXCLUDED.email
      RETURNING id),
    written AS (
      INSERT INTO orders (id, status, version, currency, total_minor, customer_id, customer_email,
        customer_name, customer_phone, shipping_address, correlation_id, traceparent, deadline_at)
      SELECT ${id}, 'pending', 1, ${currency}, ${totalMinor}, customer.id, ${customer.email},
        ${customer.name}, ${customer.phone}, ${JSON.stringify(draft.shippingAddress)}::jsonb,
        ${draft.correlationId}, ${draft.traceparent},
        now() + ${PENDING_DEADLINE_MS} * interval '1 ms'
      FROM (SELECT id FROM known UNION ALL SELECT id FROM added) customer
      RETURNING *),
    with_lines AS (
      INSERT INTO order_lines (order_id, sku, position, name, quantity, unit_price_minor)
      SELECT ${id}, sku, position, name, quantity, "unitPriceMinor" FROM lines),
    with_holds AS (
      INSERT INTO reservations (order_id, sku, quantity, status)
      SELECT ${id}, sku, quantity, 'held' FROM lines),
    with_payment AS (
      INSERT INTO payments (id, order_id, status, amount_minor, currency, payment_method)
      VALUES (${newId('payment')}, ${id}, 'authorizing', ${totalMinor}, ${currency},
        ${draft.paymentMethod})),
    with_intent AS (
      INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
      VALUES (${id}, ${providerKey(id, 'authorize')}, 'authorize', 'requested',
        ${totalMinor}, ${currency})),
    with_event AS (${eventOf({ orderId: id, type: 'order.created' }, 'written')})
    SELECT customer_id AS "customerId", version, created_at AS "createdAt",
      updated_at AS "updatedAt" FROM written`;
  const [written] = rows;
  if (!written) throw new Error(`order ${id} was not written`);
  return {
    id,
    status: 'pending',
    version: written.version,
    currency,
    totalMinor,
    lines: draft.lines,
    customer: { id: written.customerId, ...customer },
    shippingAddress: draft.shippingAddress,
    correlationId: draft.correlationId,
    traceparent: draft.traceparent,
    cancelReason: null,
    attentionStep: null,
    erasedAt: null,
    createdAt: written.createdAt.toISOString(),
    updatedAt: written.updatedAt.toISOString(),
  };
}

interface Pending {
  readonly customerId: Customer['id'];
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * Records the outcome of the authorization on the payment and as an operation. `isVoidRequested`: its
 * void was recorded before.
 */
export async function settleAuthorization(
  tx: Transaction,
  order: Order,
  settled: {
    readonly state: 'succeeded' | 'refused';
    readonly reference: string | null;
    readonly code: string | null;
    readonly captureBefore?: string | null;
  },
): Promise<{ readonly isVoidRequested: boolean }> {
  const { state, reference, code, captureBefore = null } = settled;
  const status = state === 'succeeded' ? 'authorized' : 'declined';
  const rows = await tx.$queryRaw<{ isVoidRequested: boolean }[]>`
    WITH on_payment AS (
      UPDATE payments SET status = ${status}, provider_reference = ${reference},
        decline_code = ${code}, capture_before = ${captureBefore}::timestamptz, updated_at = now()
      WHERE order_id = ${order.id})
    INSERT INTO payment_operations
      (order_id, key, kind, state, amount_minor, currency, provider_reference, detail)
    VALUES (${order.id}, ${providerKey(order.id, 'authorize')}, 'authorize', ${state},
      ${order.totalMinor}, ${order.currency}, ${reference}, ${code})
    RETURNING EXISTS (SELECT FROM payment_operations
      WHERE key = ${providerKey(order.id, 'void')} AND state = 'requested') AS "isVoidRequested"`;
  return { isVoidRequested: rows[0]?.isVoidRequested === true };
}
