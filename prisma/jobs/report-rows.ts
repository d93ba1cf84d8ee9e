/**
 * The rows of reports, page by page. The pages of a report follow an id that grows with time, so each
 * page reads what it returns and not what came before, and nothing is held between them. The window of a
 * report has ended, and what lies in it is never removed or moved: no row is missed or read twice. A row
 * says what it said when it was read.
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

function idsOf(kind: 'refund' | 'discrepancy', { from, to }: Window): Range {
  return [idBefore(kind, Date.parse(from)), idAfter(kind, Date.parse(to))];
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
