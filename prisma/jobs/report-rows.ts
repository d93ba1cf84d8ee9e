/**
 * The rows of reports, page by page. The pages of a report follow an id that grows with time, so each
 * page reads what it returns and not what came before, and nothing is held between them. The window of a
 * report has ended, and what lies in it is never removed or moved: no row is missed or read twice. A row
 * says what it said when it was read. Raw: aggregates, and keysets.
 */
import type { Database } from '../client/client.ts';
import { idAfter, idBefore } from '../client/ids.ts';

/** `to` is exclusive (ISO 8601). */
export interface Window {
  readonly from: string;
  readonly to: string;
}

/** After `after`, in the order of the ids. */
export interface PageQuery extends Window {
  readonly after: string;
  readonly limit: number;
}

export interface Page {
  /** How many rows were read, those outside of the window included. */
  readonly read: number;
  /** The last id that was read; null when there was none. */
  readonly last: string | null;
  readonly rows: readonly object[];
}

/** Where the ids of the window begin and end. */
type Range = readonly [after: string, until: string];

function idsOf(kind: 'order' | 'refund' | 'discrepancy', { from, to }: Window): Range {
  return [idBefore(kind, Date.parse(from)), idAfter(kind, Date.parse(to))];
}

/** Sales of one product on one day. */
export interface Sales {
  /** `2026-01-31`, in the time zone of the report. */
  readonly day: string;
  readonly sku: string;
  readonly currency: string;
  readonly orders: number;
  readonly units: number;
  readonly revenueMinor: number;
}

/** How many orders there are to read, at most `limit`. */
export async function countOrders(db: Database, window: Window, limit: number) {
  const [after, until] = idsOf('order', window);
  const rows = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (
      SELECT FROM orders WHERE id > ${after} AND id < ${until} LIMIT ${limit}) o`;
  return rows[0]?.count ?? 0;
}

/**
 * The sums of a page of orders: of those that were placed in the window and are not cancelled, without
 * what the warehouse did not have. Revenue is that of the lines; adjustments belong to no product.
 */
export async function readSales(
  db: Database,
  query: PageQuery & { readonly timeZone: string },
): Promise<{ readonly read: number; readonly last: string | null; readonly sales: Sales[] }> {
  const [first, until] = idsOf('order', query);
  const after = query.after === '' ? first : query.after;
  const pages = await db.$queryRaw<{ read: number; last: string | null }[]>`
    SELECT count(*)::int AS read, max(id) AS last FROM (
      SELECT id FROM orders WHERE id > ${after} AND id < ${until}
      ORDER BY id LIMIT ${query.limit}) page`;
  const { read = 0, last = null } = pages[0] ?? {};
  if (last === null) return { read, last, sales: [] };
  const sales = await db.$queryRaw<(Omit<Sales, 'revenueMinor'> & { revenueMinor: bigint })[]>`
    SELECT to_char(o.placed_at AT TIME ZONE ${query.timeZone}, 'YYYY-MM-DD') AS day, l.sku,
      o.currency, count(*)::int AS orders, sum(sent.units)::int AS units,
      sum(sent.units::bigint * l.unit_price_minor)::bigint AS "revenueMinor"
    FROM orders o JOIN order_lines l ON l.order_id = o.id
      CROSS JOIN LATERAL (SELECT COALESCE(l.reserved_quantity, l.quantity) AS units) sent
    WHERE o.id > ${after} AND o.id <= ${last}
      AND o.placed_at >= ${query.from}::timestamptz AND o.placed_at < ${query.to}::timestamptz
      AND o.status NOT IN ('cancelling', 'cancelled') AND sent.units > 0
    GROUP BY 1, 2, 3`;
  return {
    read,
    last,
    sales: sales.map((each) => ({ ...each, revenueMinor: Number(each.revenueMinor) })),
  };
}

/** The names of products, by SKU. */
export async function namesOf(
  db: Database,
  skus: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.product.findMany({
    where: { sku: { in: [...new Set(skus)] } },
    select: { sku: true, name: true },
  });
  return new Map(rows.map(({ sku, name }) => [sku, name]));
}

export async function countRefunds(db: Database, window: Window, limit: number): Promise<number> {
  const [after, until] = idsOf('refund', window);
  return db.refund.count({ where: { id: { gt: after, lt: until } }, take: limit });
}

export async function readRefunds(db: Database, query: PageQuery): Promise<Page> {
  const [first, until] = idsOf('refund', query);
  const found = await db.refund.findMany({
    where: { id: { gt: query.after === '' ? first : query.after, lt: until } },
    orderBy: { id: 'asc' },
    take: query.limit,
  });
  const isReported = isWithin(query, ({ requestedAt }: (typeof found)[number]) => requestedAt);
  return pageOf(found, isReported, (refund) => ({
    id: refund.id,
    order_id: refund.orderId,
    requested_at: refund.requestedAt.toISOString(),
    settled_at: refund.settledAt?.toISOString() ?? null,
    cause: refund.cause,
    status: refund.status,
    amount_minor: refund.amountMinor,
    currency: refund.currency,
    failure_code: refund.failureCode,
  }));
}

export async function countDiscrepancies(
  db: Database,
  window: Window,
  limit: number,
): Promise<number> {
  const [after, until] = idsOf('discrepancy', window);
  return db.discrepancy.count({ where: { id: { gt: after, lt: until } }, take: limit });
}

export async function readDiscrepancies(db: Database, query: PageQuery): Promise<Page> {
  const [first, until] = idsOf('discrepancy', query);
  const found = await db.discrepancy.findMany({
    where: { id: { gt: query.after === '' ? first : query.after, lt: until } },
    orderBy: { id: 'asc' },
    take: query.limit,
  });
  const isReported = isWithin(query, ({ firstSeenAt }: (typeof found)[number]) => firstSeenAt);
  return pageOf(found, isReported, (discrepancy) => ({
    id: discrepancy.id,
    kind: discrepancy.kind,
    subject: discrepancy.subject,
    order_id: discrepancy.orderId,
    ours: JSON.stringify(discrepancy.ours),
    theirs: JSON.stringify(discrepancy.theirs),
    first_seen_at: discrepancy.firstSeenAt.toISOString(),
    last_seen_at: discrepancy.lastSeenAt.toISOString(),
    resolved_at: discrepancy.resolvedAt?.toISOString() ?? null,
  }));
}

/** A movement has its time from its transaction, its id from a moment later: what they may differ by. */
const MOVEMENT_SKEW_MS = 10 * 60_000;

export async function countMovements(db: Database, window: Window, limit: number): Promise<number> {
  const after = await beforeMovements(db, window);
  const until = await firstMovementFrom(db, Date.parse(window.to) + MOVEMENT_SKEW_MS);
  return db.stockMovement.count({ where: { id: { gt: after, lt: until } }, take: limit });
}

export async function readMovements(db: Database, query: PageQuery): Promise<Page> {
  const after = query.after === '' ? await beforeMovements(db, query) : BigInt(query.after);
  const found = await db.stockMovement.findMany({
    where: { id: { gt: after } },
    orderBy: { id: 'asc' },
    take: query.limit,
  });
  const endsAtMs = Date.parse(query.to) + MOVEMENT_SKEW_MS;
  const near = found.filter(({ createdAt }) => createdAt.getTime() < endsAtMs);
  const isReported = isWithin(query, ({ createdAt }: (typeof near)[number]) => createdAt);
  return pageOf(near, isReported, (movement) => ({
    id: String(movement.id),
    at: movement.createdAt.toISOString(),
    sku: movement.sku,
    delta: movement.delta,
    kind: movement.kind,
    reason: movement.reason,
    order_id: movement.orderId,
    actor: movement.actor,
  }));
}

/** The id before the first movement of the window. */
async function beforeMovements(db: Database, { from }: Window): Promise<bigint> {
  return (await firstMovementFrom(db, Date.parse(from) - MOVEMENT_SKEW_MS)) - 1n;
}

/**
 * The id from which on the movements are of `atMs` or later. By halves: ids grow with time, and an index
 * on the time would be written with every movement for a report now and then.
 */
async function firstMovementFrom(db: Database, atMs: number): Promise<bigint> {
  const { _max: max } = await db.stockMovement.aggregate({ _max: { id: true } });
  let [low, high] = [1n, (max.id ?? 0n) + 1n];
  while (low < high) {
    const middle = (low + high) / 2n;
    const found = await db.stockMovement.findFirst({
      where: { id: { gte: middle } },
      orderBy: { id: 'asc' },
      select: { id: true, createdAt: true },
    });
    if (found !== null && found.createdAt.getTime() < atMs) low = found.id + 1n;
    else high = middle;
  }
  return low;
}

function isWithin<T>({ from, to }: Window, timeOf: (row: T) => Date): (row: T) => boolean {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  return (row) => timeOf(row).getTime() >= fromMs && timeOf(row).getTime() < toMs;
}

function pageOf<T extends { readonly id: string | bigint }>(
  found: readonly T[],
  isReported: (row: T) => boolean,
  toRow: (row: T) => object,
): Page {
  const last = found.at(-1);
  return {
    read: found.length,
    last: last === undefined ? null : String(last.id),
    rows: found.filter(isReported).map(toRow),
  };
}

/** The day before `at` in the time zone, from midnight to midnight. */
export async function dayBefore(db: Database, timeZone: string, at: Date): Promise<Window> {
  const rows = await db.$queryRaw<{ from: Date; to: Date }[]>`
    SELECT (today - interval '1 day') AT TIME ZONE ${timeZone} AS "from",
      today AT TIME ZONE ${timeZone} AS "to"
    FROM date_trunc('day', ${at.toISOString()}::timestamptz AT TIME ZONE ${timeZone}) AS today`;
  const [day] = rows;
  if (day === undefined) throw new TypeError('PostgreSQL knows no day before');
  return { from: day.from.toISOString(), to: day.to.toISOString() };
}
