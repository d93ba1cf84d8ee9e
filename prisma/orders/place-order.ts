/**
 * Opens an order with its stock and its store credit held. Raw SQL writes all rows in one statement,
 * because the shopper waits for each round trip. No transaction is open while the payment provider is
 * called; settle-order.ts records what it said.
 */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import { toLanguage, type Language } from '../../domain/language.ts';
import {
  cardMinor,
  type Adjustment,
  type Customer,
  type Fulfillment,
  type Order,
  type OrderLine,
  type ShippingAddress,
} from '../../domain/order.ts';
import type { Shortage } from '../../domain/product.ts';
import { customerTerms } from '../../domain/search-terms.ts';
import { eventOf } from './transition.ts';
import type { Database } from '../client/client.ts';
import { keyClaimed, type KeyClaim } from '../access/idempotency.ts';
import { violatesConstraint } from '../client/errors.ts';
import { newId } from '../client/ids.ts';
import { notifyOrderChanged } from '../client/notify.ts';
import { findCreditOf } from '../credit/accounts.ts';
import { creditSpent, isCreditShort } from '../credit/ledger.ts';
import { findShortages, isStockShort, linesHeld } from '../catalog/stock.ts';
import { Prisma } from '../generated/client.ts';

export interface OrderDraft {
  readonly customer: CustomerDraft;
  /** Of an order whose customer has said none. */
  readonly defaultLanguage: Language;
  readonly shippingAddress: ShippingAddress;
  readonly lines: readonly OrderLine[];
  readonly adjustments: readonly Adjustment[];
  readonly currency: string;
  readonly totalMinor: number;
  /** The part of the total that the customer's store credit pays. */
  readonly creditMinor: number;
  readonly fulfillment: Fulfillment;
  /** Null: the card pays nothing. */
  readonly paymentMethod: string | null;
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
  | { readonly kind: 'credit_insufficient'; readonly availableMinor: number }
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
      if (order === null) return { kind: 'key_taken' };
      notifyOrderChanged(db, order.id);
      return { kind: 'opened', order };
    } catch (error) {
      if (violatesConstraint(error, NUMBER_TAKEN) && numbers < MAX_NUMBERS) continue;
      if (isCreditShort(error)) {
        const availableMinor = await findCreditOf(db, draft.customer.email, draft.currency);
        return { kind: 'credit_insufficient', availableMinor };
      }
      if (!isStockShort(error)) throw error;
      return { kind: 'out_of_stock', shortages: await findShortages(db, draft.lines) };
    }
  }
}

/**
 * Everything an order starts with, its customer and its first event, in one statement; null when the key
 * is held. The lock on a known customer excludes an erasure, which either sees this order or comes
 * before it. The rows of the stock are contended. PostgreSQL makes the writes that nothing reads in reverse
 * order, so the first one here is the last one made, and its locks are held for the shortest time.
 */
async function insertPending(
  db: Database,
  claim: KeyClaim,
  draft: OrderDraft,
): Promise<Order | null> {
  const id = newId('order');
  const { customer, totalMinor, creditMinor, currency } = draft;
  const lines = positioned(draft.lines);
  const rows = await db.$queryRaw<Pending[]>`
    WITH claimed AS (${keyClaimed({ ...claim, orderId: id })}),
    known AS (
      SELECT id, language, sms_consent FROM customers WHERE email = ${customer.email} FOR KEY SHARE),
    added AS (
      INSERT INTO customers (id, email, name, phone)
      SELECT ${newId('customer')}, ${customer.email}, ${customer.name}, ${customer.phone}
      FROM claimed WHERE NOT EXISTS (SELECT 1 FROM known)
      ON CONFLICT (email) DO UPDATE SET email = EXCLUDED.email
      RETURNING id, language, sms_consent),
    written AS (
      INSERT INTO orders (id, status, version, currency, total_minor, credit_minor, fulfillment,
        customer_id, customer_email, customer_name, customer_phone, customer_language, customer_sms_consent,
        shipping_address, correlation_id, traceparent, inspectable, deadline_at)
      SELECT claimed.order_id, 'pending', 1, ${currency}, ${totalMinor}, ${creditMinor},
        ${draft.fulfillment}::fulfillment, customer.id, ${customer.email}, ${customer.name}, ${customer.phone},
        COALESCE(${customer.language ?? null}, customer.language, ${draft.defaultLanguage}),
        COALESCE(${customer.smsConsent ?? null}, customer.sms_consent) AND ${customer.phone !== null},
        ${JSON.stringify(draft.shippingAddress)}::jsonb, ${draft.correlationId},
        ${draft.traceparent}, ${draft.inspectable}, now() + ${PENDING_DEADLINE_MS} * interval '1 ms'
      FROM claimed, (TABLE known UNION ALL TABLE added) customer
      RETURNING *)
    ${creditMinor === 0 ? Prisma.empty : creditSpent(id, creditMinor)},
    lines AS (
      SELECT line.* FROM claimed ${creditMinor === 0 ? Prisma.empty : AFTER_CREDIT},
        jsonb_to_recordset(${lines}::jsonb) AS line
          (sku text, position integer, name text, quantity integer, "unitPriceMinor" integer)),
    ${linesHeld()},
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
    ${paymentOpened(id, draft)},
    with_event AS (${eventOf({ orderId: id, type: 'order.created' }, 'written')})
    SELECT customer_id AS "customerId", customer_language AS language,
      customer_sms_consent AS "smsConsent", version, created_at AS "createdAt",
      updated_at AS "updatedAt" FROM written`;
  const [written] = rows;
  return written ? toPending(id, draft, written) : null;
}

/** The stock is locked by what the lines name: after the account, and not at all when credit is short. */
const AFTER_CREDIT = Prisma.sql`CROSS JOIN (SELECT count(*) FROM balanced) AS paid`;

/** The payment and, unless credit pays all of it, the intent to authorize the card. */
function paymentOpened(id: OrderId, draft: OrderDraft): Prisma.Sql {
  const onCard = cardMinor(draft);
  return Prisma.sql`with_payment AS (
      INSERT INTO payments (id, order_id, status, amount_minor, credit_minor, currency, payment_method)
      SELECT ${newId('payment')}, id, 'authorizing', ${onCard}, ${draft.creditMinor}, currency,
        ${draft.paymentMethod} FROM written),
    with_intent AS (
      INSERT INTO payment_operations (order_id, key, kind, state, amount_minor, currency)
      SELECT id, ${providerKey(id, 'authorize')}, 'authorize', 'requested', ${onCard}, currency
      FROM written WHERE ${onCard} > 0)`;
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
  const { customer, currency, totalMinor, creditMinor, lines, adjustments, shippingAddress } =
    draft;
  const { correlationId, traceparent, inspectable } = draft;
  return {
    id,
    status: 'pending',
    version: written.version,
    currency,
    totalMinor,
    creditMinor,
    fulfillment: draft.fulfillment,
    dueMinor: null,
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
