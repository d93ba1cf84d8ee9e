/**
 * The synchronous half of an order: opened with its stock held in one statement, then settled as placed
 * or declined. No transaction is open while the payment provider is called. Raw SQL writes all rows of a
 * step in one statement, because the shopper waits for each round trip.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import { toLanguage, type Language } from '../../domain/language.ts';
import type {
  Adjustment,
  Customer,
  Order,
  OrderLine,
  ShippingAddress,
} from '../../domain/order.ts';
import type { Shortage } from '../../domain/product.ts';
import { customerTerms } from '../../domain/search-terms.ts';
import { eventOf, orderTransaction, transitionAlone, transitionOrder } from './transition.ts';
import type { Database } from '../client/client.ts';
import {
  keyClaimed,
  responseStored,
  storeResponse,
  TIME_OF_CHANGE,
} from '../access/idempotency.ts';
import type { KeyClaim, StoredResponse } from '../access/idempotency.ts';
import { violatesConstraint } from '../client/errors.ts';
import { newId } from '../client/ids.ts';
import { findShortages, isStockShort, linesHeld, releaseHold } from '../catalog/stock.ts';
import { Prisma } from '../generated/client.ts';
import { authorizationWrites, settleAuthorization } from './authorizations.ts';

export interface OrderDraft {
  readonly customer: CustomerDraft;
  /** Of an order whose customer has said none. */
  readonly defaultLanguage: Language;
  readonly shippingAddress: ShippingAddress;
  readonly lines: readonly OrderLine[];
  readonly adjustments: readonly Adjustment[];
  readonly currency: string;
  readonly totalMinor: number;
  readonly paymentMethod: string;
  readonly correlationId: string;
  readonly traceparent: string | null;
  readonly inspectable: boolean;
}

/** A language or consent that is left out is the customer's preference, if there is one. */
interface CustomerDraft extends Pick<Customer, 'email' | 'name' | 'phone'> {
  readonly language?: Language | undefined;
  readonly smsConsent?: boolean | undefined;
}

export type OpenOutcome =
  | { readonly kind: 'opened'; readonly order: Order }
  | { readonly kind: 'out_of_stock'; readonly shortages: readonly Shortage[] }
  | { readonly kind: 'key_taken' };

/** No attempt places the order after this: its stock is released and its authorization voided. */
const PENDING_DEADLINE_MS = 120_000;

/** One order in millions meets the number of another; two in a row do not. */
const MAX_NUMBERS = 3;
/** Two orders never have one order number. */
const NUMBER_TAKEN = 'orders_number';

/**
 * Claims the key, writes the pending order with its payment intent, and holds the stock: all or nothing.
 * When the order number is another order's, nothing was written, and it is written under another id.
 */
export async function openOrder(
  db: Database,
  claim: KeyClaim,
  draft: OrderDraft,
): Promise<OpenOutcome> {
  for (let numbers = 1; ; numbers += 1) {
    try {
      const order = await insertPending(db, claim, draft);
      return order === null ? { kind: 'key_taken' } : { kind: 'opened', order };
    } catch (error) {
      if (violatesConstraint(error, NUMBER_TAKEN) && numbers < MAX_NUMBERS) continue;
      if (!isStockShort(error)) throw error;
      return { kind: 'out_of_stock', shortages: await findShortages(db, draft.lines) };
    }
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

/**
 * Order `placed`, payment `authorized`, event, stored response: one statement. An order that has changed
 * since it was loaded, or whose authorization is being voided, is not placed.
 */
export async function recordPlaced(
  db: Database,
  order: Order,
  { reference, captureBefore = null, response }: Placed,
): Promise<SettleOutcome> {
  const version = order.version + 1;
  const { status, body } = response({
    ...order,
    status: 'placed',
    version,
    updatedAt: TIME_OF_CHANGE,
  });
  const held = { state: 'succeeded', reference, captureBefore, code: null } as const;
  const change = await transitionAlone(
    db,
    {
      orderId: order.id,
      type: 'order.placed',
      to: 'placed',
      data: { total_minor: order.totalMinor, currency: order.currency },
      unless: Prisma.sql`
        SELECT 1 FROM payment_operations
        WHERE key = ${providerKey(order.id, 'void')} AND state = 'requested'
        UNION ALL SELECT 1 FROM orders WHERE id = ${order.id} AND version <> ${order.version}`,
    },
    Prisma.sql`${authorizationWrites(order, held)} ${responseStored({ status, body })}`,
  );
  if (change.kind !== 'changed') return { kind: 'superseded' };
  const sent = { status, body: body.replaceAll(TIME_OF_CHANGE, change.at) };
  return { kind: 'settled', response: sent };
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
 * Everything an order starts with, its customer and its first event, in one statement; null when the key
 * is held. The lock on a known customer excludes an erasure, which either sees this order or comes
 * before it. The rows of the stock are contended: they are locked for this statement and its commit only.
 */
async function insertPending(
  db: Database,
  claim: KeyClaim,
  draft: OrderDraft,
): Promise<Order | null> {
  const id = newId('order');
  const { customer, totalMinor, currency } = draft;
  const lines = positioned(draft.lines);
  const rows = await db.$queryRaw<Pending[]>`
    WITH claimed AS (${keyClaimed({ ...claim, orderId: id })}),
    lines AS (
      SELECT line.* FROM claimed, jsonb_to_recordset(${lines}::jsonb) AS line
        (sku text, position integer, name text, quantity integer, "unitPriceMinor" integer)),
    known AS (
      SELECT id, language, sms_consent FROM customers WHERE email = ${customer.email} FOR KEY SHARE),
    added AS (
      INSERT INTO customers (id, email, name, phone)
      SELECT ${newId('customer')}, ${customer.email}, ${customer.name}, ${customer.phone}
      FROM claimed WHERE NOT EXISTS (SELECT 1 FROM known)
      ON CONFLICT (email) DO UPDATE SET email = EXCLUDED.email
      RETURNING id, language, sms_consent),
    written AS (
      INSERT INTO orders (id, status, version, currency, total_minor, customer_id, customer_email,
        customer_name, customer_phone, customer_language, customer_sms_consent, shipping_address,
        correlation_id, traceparent, inspectable, deadline_at)
      SELECT claimed.order_id, 'pending', 1, ${currency}, ${totalMinor}, customer.id,
        ${customer.email}, ${customer.name}, ${customer.phone},
        COALESCE(${customer.language ?? null}, customer.language, ${draft.defaultLanguage}),
        COALESCE(${customer.smsConsent ?? null}, customer.sms_consent) AND ${customer.phone !== null},
        ${JSON.stringify(draft.shippingAddress)}::jsonb, ${draft.correlationId},
        ${draft.traceparent}, ${draft.inspectable}, now() + ${PENDING_DEADLINE_MS} * interval '1 ms'
      FROM claimed, (TABLE known UNION ALL TABLE added) customer
      RETURNING *),
    with_terms AS (
      INSERT INTO order_terms (order_id, term)
      SELECT id, term FROM written, unnest(${[...customerTerms(customer)]}::text[]) AS term),
    with_lines AS (
      INSERT INTO order_lines (order_id, sku, position, name, quantity, unit_price_minor)
      SELECT ${id}, sku, position, name, quantity, "unitPriceMinor" FROM lines),
    with_adjustments AS (
      INSERT INTO order_adjustments (order_id, position, kind, label, amount_minor)
      SELECT written.id, position, kind, label, "amountMinor"
      FROM written, jsonb_to_recordset(${positioned(draft.adjustments)}::jsonb) AS adjustment
        (position integer, kind adjustment_kind, label text, "amountMinor" integer)),
    with_reservations AS (
      INSERT INTO reservations (order_id, sku, quantity, status)
      SELECT ${id}, sku, quantity, 'held' FROM lines),
    with_payment AS (
      INSERT INTO payments (id, order_id, status, amount_minor, currency, payment_method)
      SELECT ${newId('payment')}, id, 'authorizing', ${totalMinor}, ${currency},
        ${draft.paymentMethod} FROM written),
    with_intent AS (
      INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
      SELECT id, ${providerKey(id, 'authorize')}, 'authorize', 'requested',
        ${totalMinor}, ${currency} FROM written),
    with_event AS (${eventOf({ orderId: id, type: 'order.created' }, 'written')})
    ${linesHeld()}
    SELECT customer_id AS "customerId", customer_language AS language,
      customer_sms_consent AS "smsConsent", version, created_at AS "createdAt",
      updated_at AS "updatedAt" FROM written`;
  const [written] = rows;
  return written ? toPending(id, draft, written) : null;
}

function positioned(items: readonly object[]): string {
  return JSON.stringify(items.map((item, position) => ({ ...item, position })));
}

interface Pending {
  readonly customerId: Customer['id'];
  readonly language: string;
  readonly smsConsent: boolean;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

function toPending(id: OrderId, draft: OrderDraft, written: Pending): Order {
  const { customer, currency, totalMinor, lines, adjustments, shippingAddress } = draft;
  const { correlationId, traceparent, inspectable } = draft;
  return {
    id,
    status: 'pending',
    version: written.version,
    currency,
    totalMinor,
    lines,
    adjustments,
    customer: {
      id: written.customerId,
      email: customer.email,
      name: customer.name,
      phone: customer.phone,
      language: toLanguage(written.language),
      smsConsent: written.smsConsent,
    },
    shippingAddress,
    correlationId,
    traceparent,
    inspectable,
    cancelReason: null,
    attentionStep: null,
    erasedAt: null,
    createdAt: written.createdAt.toISOString(),
    updatedAt: written.updatedAt.toISOString(),
  };
}
