/**
 * The list of orders, its search, and how many there are. Raw SQL: a page takes the newest of each status
 * by an index, and a search the terms that begin alike.
 */
import type { OrderId } from '../../domain/ids.ts';
import { readOrderNumber } from '../../domain/order-number.ts';
import { ORDER_STATUSES, type Order, type OrderStatus } from '../../domain/order.ts';
import { searchedTerms } from '../../domain/search-terms.ts';
import type { Database } from '../client/client.ts';
import { idAfter, idBefore, lowestIdAt } from '../client/ids.ts';
import { toOrder, type OrderRow } from '../client/mappers.ts';
import { Prisma } from '../generated/client.ts';
import { OPEN_STATUSES } from './orders.ts';
import { HAS_RETRIED_STEP } from './retried-steps.ts';

export interface OrderFilter {
  /** None: every status. */
  readonly statuses?: readonly OrderStatus[] | undefined;
  readonly email?: string | undefined;
  /** ISO 8601; exclusive. */
  readonly createdAfter?: string | undefined;
  /** ISO 8601; exclusive. */
  readonly updatedBefore?: string | undefined;
  /** Only orders of which a step is being retried. */
  readonly isRetrying?: boolean | undefined;
  /** Only orders with an open dispute, fraud warning or review. */
  readonly hasOpenCase?: boolean | undefined;
  /** Text that a person has of an order; see `searchedTerms` and `readOrderNumber`. */
  readonly search?: string | undefined;
}

interface Page {
  readonly limit: number;
  readonly startingAfter?: string | undefined;
}

export type ListOutcome =
  | { readonly kind: 'listed'; readonly orders: readonly Order[]; readonly hasMore: boolean }
  /** The search finds more than `MAX_MATCHES`: nothing was listed. */
  | { readonly kind: 'too_many' };

/** A search that finds more is refused: none of its pages could be found by an index. */
export const MAX_MATCHES = 1_000;
/** Above every character of a text. */
const LAST_CHARACTER = '\u{10FFFF}';
const ID_BEGINNING = /^ord_[0-9a-z]{1,26}$/;
const ID_LENGTH = 30;

/**
 * Newest first, one page after `startingAfter`. Ids sort by their creation time, so the bounds by id end a
 * page where the times do: an order is not updated before it is created.
 */
export async function listOrders(
  db: Database,
  filter: OrderFilter,
  page: Page,
): Promise<ListOutcome> {
  const found = await conditionOfSearch(db, filter.search);
  if (found === 'too_many') return { kind: 'too_many' };
  const listed = pageOfIds(filter, page, found);
  const rows = await db.$queryRaw<OrderRow[]>`
    SELECT ${LISTED} FROM (${listed}) page JOIN orders o USING (id) ORDER BY o.id DESC`;
  return {
    kind: 'listed',
    orders: rows.slice(0, page.limit).map(toOrder),
    hasMore: rows.length > page.limit,
  };
}

/** What `OrderRow` has. */
const LISTED = Prisma.sql`o.id, o.status, o.version, o.currency, o.total_minor AS "totalMinor",
  o.credit_minor AS "creditMinor", o.fulfillment, o.due_minor AS "dueMinor",
  o.customer_id AS "customerId", o.customer_email AS "customerEmail",
  o.customer_name AS "customerName", o.customer_phone AS "customerPhone",
  o.customer_language AS "customerLanguage", o.customer_sms_consent AS "customerSmsConsent",
  o.shipping_address AS "shippingAddress", o.correlation_id AS "correlationId", o.traceparent, o.inspectable,
  o.cancel_reason AS "cancelReason", o.attention_step AS "attentionStep",
  o.erased_at AS "erasedAt", o.created_at AS "createdAt", o.updated_at AS "updatedAt",
  (SELECT COALESCE(jsonb_agg(jsonb_build_object('sku', l.sku, 'name', l.name, 'quantity', l.quantity,
    'unitPriceMinor', l.unit_price_minor, 'reservedQuantity', l.reserved_quantity) ORDER BY l.position), '[]')
  FROM order_lines l WHERE l.order_id = o.id) AS lines,
  (SELECT COALESCE(jsonb_agg(jsonb_build_object('kind', a.kind, 'label', a.label,
    'amountMinor', a.amount_minor) ORDER BY a.position), '[]')
  FROM order_adjustments a WHERE a.order_id = o.id) AS adjustments`;

/** The ids of one order more than the page has. */
function pageOfIds(filter: OrderFilter, page: Page, found: readonly Prisma.Sql[]): Prisma.Sql {
  const { statuses = [] } = filter;
  const { above, below } = idBounds(filter, page);
  const limit = Prisma.sql`LIMIT ${page.limit + 1}`;
  const selective = [...selectiveConditions(filter), ...found];
  const where = Prisma.join([...timeConditions(filter), ...selective], ' AND ');
  // Few orders meet a selective condition: they are found by it, whatever their status.
  if (statuses.length === 0 || selective.length > 0) {
    return Prisma.sql`
      SELECT o.id FROM orders o WHERE o.id > ${above} AND o.id < ${below} AND ${where}
        AND (${statuses.length === 0} OR o.status = ANY(${[...statuses]}::order_status[]))
      ORDER BY o.id DESC ${limit}`;
  }
  // As rows, which only the index of status and id has in this order: one of a rare status is not looked
  // for among all orders.
  return Prisma.sql`
    SELECT of_status.id FROM unnest(${[...statuses]}::order_status[]) AS wanted (status), LATERAL (
      SELECT o.id FROM orders o
      WHERE (o.status, o.id) > (wanted.status, ${above}) AND (o.status, o.id) < (wanted.status, ${below})
        AND ${where}
      ORDER BY o.status DESC, o.id DESC ${limit}) of_status
    ORDER BY of_status.id DESC ${limit}`;
}

/** Above every id of an order in any locale. */
const LAST_ID = 'z';

/** Both exclusive. */
function idBounds(
  { createdAfter, updatedBefore }: OrderFilter,
  { startingAfter = LAST_ID }: Page,
): { readonly above: string; readonly below: string } {
  const above = createdAfter === undefined ? '' : idBefore('order', Date.parse(createdAfter));
  const until = updatedBefore === undefined ? LAST_ID : idAfter('order', Date.parse(updatedBefore));
  return { above, below: until < startingAfter ? until : startingAfter };
}

function timeConditions({ createdAfter, updatedBefore }: OrderFilter): readonly Prisma.Sql[] {
  const conditions = [Prisma.sql`true`];
  if (createdAfter !== undefined)
    conditions.push(Prisma.sql`o.created_at > ${createdAfter}::timestamptz`);
  if (updatedBefore !== undefined)
    conditions.push(Prisma.sql`o.updated_at < ${updatedBefore}::timestamptz`);
  return conditions;
}

function selectiveConditions({
  email,
  isRetrying = false,
  hasOpenCase = false,
}: OrderFilter): readonly Prisma.Sql[] {
  const conditions: Prisma.Sql[] = [];
  if (hasOpenCase) {
    conditions.push(
      Prisma.sql`o.id = ANY(ARRAY(SELECT order_id FROM payment_cases WHERE is_open))`,
    );
  }
  if (email !== undefined) conditions.push(Prisma.sql`o.customer_email = ${email.toLowerCase()}`);
  if (isRetrying) {
    // By the index of those rows, and not order by order.
    conditions.push(Prisma.sql`o.id = ANY(ARRAY(
      SELECT order_id FROM step_attempts WHERE next_attempt_at IS NOT NULL)) AND ${HAS_RETRIED_STEP}`);
  }
  return conditions;
}

/** The orders that a search finds, as a condition; none without a search. */
async function conditionOfSearch(
  db: Database,
  search: string | undefined,
): Promise<readonly Prisma.Sql[] | 'too_many'> {
  if (search === undefined) return [];
  const id = search.trim().toLowerCase();
  if (ID_BEGINNING.test(id)) {
    // Without a locale's rules for what a prefix is: every id has one length and one alphabet.
    return [Prisma.sql`o.id BETWEEN ${id} AND ${id.padEnd(ID_LENGTH, 'z')}`];
  }
  const beginnings = searchedTerms(search);
  const number = readOrderNumber(search) ?? '';
  const rows = await db.$queryRaw<{ id: OrderId }[]>`
    SELECT found.order_id AS id FROM unnest(${[...beginnings]}::text[]) AS beginning, LATERAL (
      SELECT order_id FROM order_terms
      WHERE term >= beginning AND term < beginning || ${LAST_CHARACTER}
      ORDER BY term, order_id LIMIT ${MAX_MATCHES + 1}) found
    UNION ALL SELECT id FROM orders WHERE right(id, 9) = ${number}`;
  if (rows.length > MAX_MATCHES) return 'too_many';
  return [Prisma.sql`o.id = ANY(${[...new Set(rows.map((row) => row.id))]}::text[])`];
}

const DAY_MS = 86_400_000;

export interface OrderCounts {
  /** Every status has its number. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Orders that do not move any more are counted when they were created after this. */
  readonly settledSince: string;
}

/**
 * Orders by status: all that are open, of which there are few unless something is wrong; of the others,
 * whose number only grows, those created within a day by the times in their ids.
 */
export async function countOrders(db: Database): Promise<OrderCounts> {
  const sinceMs = Date.now() - DAY_MS;
  const others = ORDER_STATUSES.filter((status) => !OPEN_STATUSES.includes(status));
  const rows = await db.$queryRaw<{ status: OrderStatus; orders: number }[]>`
    SELECT wanted.status, (
      SELECT count(*)::int FROM orders o WHERE o.status = wanted.status AND o.id > wanted.id) AS orders
    FROM (
      SELECT status, '' AS id FROM unnest(${OPEN_STATUSES}::order_status[]) AS status
      UNION ALL SELECT status, ${lowestIdAt('order', sinceMs)}
      FROM unnest(${others}::order_status[]) AS status) wanted`;
  return {
    byStatus: Object.fromEntries(rows.map(({ status, orders }) => [status, orders])),
    settledSince: new Date(sinceMs).toISOString(),
  };
}
