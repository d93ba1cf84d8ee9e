/**
 * The event log, read without losing an event. Sequence order is not commit order: a position below
 * one already read may still commit. So a reader takes only rows whose writing transaction is below
 * the snapshot's xmin (no older one can still run), in the order (xid, position). Raw SQL, because
 * Prisma does not know xid8.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { EventType, OrderEvent } from '../../domain/order.ts';
import type { Database, Transaction } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { uncheckedColumn } from '../client/columns.ts';

/** A position in the log, `<xid>-<position>`. Opaque outside this file. */
export type LogCursor = string & { readonly brand: 'LogCursor' };

export interface LoggedEvent extends OrderEvent {
  readonly cursor: LogCursor;
}

/** Before the first event. */
export const LOG_START = uncheckedColumn<LogCursor>('0-0');
/** Behind every event: the largest xid8 and bigint. */
const LOG_END = uncheckedColumn<LogCursor>('18446744073709551615-9223372036854775807');

const CURSOR = /^(\d{1,20})-(\d{1,19})$/;

/** True when the text is a cursor PostgreSQL can compare with: an xid8 and a bigint. */
export function isLogCursor(text: string): text is LogCursor {
  const [, xid, position] = CURSOR.exec(text) ?? [];
  if (xid === undefined || position === undefined) return false;
  return BigInt(xid) < 2n ** 64n && BigInt(position) < 2n ** 63n;
}

/** False for a cursor beyond every event that is readable now: of another database, or made up. */
export async function isWithinLog(db: Database, cursor: LogCursor): Promise<boolean> {
  const { xid, position } = splitCursor(cursor);
  const rows = await db.$queryRaw<{ within: boolean }[]>`
    SELECT (${xid}::text::xid8, ${position}::text::bigint)
      <= (pg_snapshot_xmin(pg_current_snapshot()), 0::bigint) AS within`;
  return rows[0]?.within ?? false;
}

export interface LogQuery {
  /** Null with `newestFirst`: from the end of the log. */
  readonly after: LogCursor | null;
  /** Reads back: the events before `after`. Default: on, the events after it. */
  readonly newestFirst?: boolean;
  /** Empty: every type. */
  readonly types?: readonly EventType[];
  readonly orderId?: OrderId;
  readonly limit: number;
}

export interface LogPage {
  readonly events: readonly LoggedEvent[];
  /** Where to read on: behind the events, and behind those of other types that were looked at. */
  readonly next: LogCursor;
}

/** Of a rare type there may be none in the whole log: a page looks at this many events at most. */
export const MOST_LOOKED_AT = 10_000;

/**
 * The next events after a cursor, oldest first, or with `newestFirst` those before it. At the end of the
 * log `next` is that of the last event.
 */
export async function readLog(db: Database, query: LogQuery): Promise<LogPage> {
  const { types = [], orderId, newestFirst = false } = query;
  const { xid, position } = splitCursor(query.after ?? (newestFirst ? LOG_END : LOG_START));
  const order = Prisma.raw(newestFirst ? 'xid DESC, position DESC' : 'xid, position');
  // A separate SQL text for each filter: a cached plan must know whether it can use the order's index.
  const ofOrder = orderId === undefined ? Prisma.empty : Prisma.sql`AND order_id = ${orderId}`;
  const following = Prisma.sql`events
    WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
      AND (xid, position) ${Prisma.raw(newestFirst ? '<' : '>')}
        (${xid}::text::xid8, ${position}::text::bigint) ${ofOrder}`;
  // The last event that is looked at is returned in any case, because its cursor is `next`.
  const ofTypes = Prisma.sql`(
      SELECT *, row_number() OVER (ORDER BY ${order}) AS nth FROM ${following}
      ORDER BY ${order} LIMIT ${MOST_LOOKED_AT}) AS looked_at
    WHERE type = ANY(${[...types]}::text[]) OR nth = ${MOST_LOOKED_AT}`;
  const rows = await db.$queryRaw<Row[]>`
    SELECT id::text, type, order_id AS "orderId", seq, correlation_id AS "correlationId",
      causation_id AS "causationId", traceparent, data, time, xid::text || '-' || position AS cursor
    FROM ${types.length > 0 ? ofTypes : following}
    ORDER BY ${order}
    LIMIT ${query.limit}`;
  const events = rows
    .filter(({ type }) => types.length === 0 || types.includes(type))
    .map((row) => ({ ...row, time: row.time.toISOString() }));
  return { events, next: rows.at(-1)?.cursor ?? query.after ?? LOG_START };
}

/** The event with this id, or null. */
export async function findEvent(db: Transaction, id: string): Promise<LoggedEvent | null> {
  const rows = await db.$queryRaw<Row[]>`
    SELECT id::text, type, order_id AS "orderId", seq, correlation_id AS "correlationId",
      causation_id AS "causationId", traceparent, data, time, xid::text || '-' || position AS cursor
    FROM events WHERE id = ${id}::uuid`;
  const row = rows[0];
  return row ? { ...row, time: row.time.toISOString() } : null;
}

/**
 * The same, for what is to be kept of the event: until the transaction ends, its order is not erased. An
 * erasure is either seen here, or sees what the transaction has written.
 */
export async function findEventToKeep(tx: Transaction, id: string): Promise<LoggedEvent | null> {
  await tx.$executeRaw`
    SELECT FROM orders WHERE id = (SELECT order_id FROM events WHERE id = ${id}::uuid) FOR SHARE`;
  return findEvent(tx, id);
}

/**
 * The cursor just before the events at or after a time (ISO 8601). Never beyond the readable events: an
 * older transaction may still add events of that time. The first event of the log is among those of the
 * first minute by time: no transaction is open for longer.
 */
export async function cursorBefore(db: Database, time: string): Promise<LogCursor> {
  const rows = await db.$queryRaw<{ cursor: LogCursor }[]>`
    WITH first AS MATERIALIZED (
      SELECT time FROM events
      WHERE time >= ${time}::timestamptz AND xid < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY time LIMIT 1),
    candidates AS MATERIALIZED (
      SELECT xid, position FROM events
      WHERE time BETWEEN (SELECT time FROM first) AND (SELECT time + interval '1 minute' FROM first)
        AND xid < pg_snapshot_xmin(pg_current_snapshot()))
    SELECT xid::text || '-' || (position - 1) AS cursor FROM candidates
    ORDER BY xid, position LIMIT 1`;
  return rows[0]?.cursor ?? cursorNow(db);
}

/** The cursor after every event that is readable now. */
export async function cursorNow(db: Database): Promise<LogCursor> {
  const rows = await db.$queryRaw<{ cursor: LogCursor }[]>`
    SELECT (pg_snapshot_xmin(pg_current_snapshot()))::text || '-0' AS cursor`;
  return rows[0]?.cursor ?? LOG_START;
}

/** What waits to become readable. A long wait: a transaction on the server has written and does not end. */
export interface HeldLog {
  /** When the oldest committed event that waits was written; null when none waits. */
  readonly since: Date | null;
  /** How long that one has waited, in seconds; 0 when none waits. */
  readonly seconds: number;
}

export async function findHeldLog(db: Database): Promise<HeldLog> {
  const rows = await db.$queryRaw<HeldLog[]>`
    SELECT min(time) AS since,
      COALESCE(greatest(extract(epoch FROM now() - min(time)), 0), 0)::float8 AS seconds
    FROM events WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())`;
  return rows[0] ?? { since: null, seconds: 0 };
}

/** The two halves of a cursor, as decimal text. Throws on anything else. */
export function splitCursor(cursor: LogCursor): {
  readonly xid: string;
  readonly position: string;
} {
  const [, xid, position] = CURSOR.exec(cursor) ?? [];
  if (xid === undefined || position === undefined) throw new Error('not a cursor of the event log');
  return { xid, position };
}

type Row = Omit<LoggedEvent, 'time'> & { readonly time: Date };
