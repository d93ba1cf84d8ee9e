/** Subscriptions to the event log: cursor, types, paused or not. Raw SQL, because Prisma does not know xid8. */
import type { EventType } from '../../domain/order.ts';
import type { Database, Transaction } from '../client/client.ts';
import { splitCursor, type LogCursor } from './event-log.ts';
import { Prisma } from '../generated/client.ts';

export interface Subscription {
  readonly name: string;
  /** Empty: every type. */
  readonly types: readonly EventType[];
  readonly cursor: LogCursor;
  readonly paused: boolean;
  readonly updatedAt: string;
}

export interface SubscriptionLag extends Subscription {
  /** Events of its types among the next `LAG_COUNTED` readable ones after its cursor. */
  readonly behind: number;
  /** The time of the oldest of them, or of the last one looked at; now when nothing is left. */
  readonly passedUntil: string;
  /** The age of that time in seconds. */
  readonly lagSeconds: number;
}

/** A higher count would cost more than it is worth. */
const LAG_COUNTED = 10_000;
/** More than a shop has. */
const ALL = { limit: 1_000 };

/** Adds the subscription at the given cursor unless it exists; then it only gets the types. */
export async function ensureSubscription(
  db: Transaction,
  given: {
    readonly name: string;
    readonly types: readonly EventType[];
    readonly cursor: LogCursor;
  },
): Promise<void> {
  const { xid, position } = splitCursor(given.cursor);
  await db.$executeRaw`
    INSERT INTO subscriptions (name, types, cursor_xid, cursor_position)
    VALUES (${given.name}, ${[...given.types]}::text[], ${xid}::text::xid8, ${position}::text::bigint)
    ON CONFLICT (name) DO UPDATE SET types = EXCLUDED.types, updated_at = now()
      WHERE subscriptions.types <> EXCLUDED.types`;
}

export interface ReadSubscription extends Subscription {
  /** When it was read, by the database's clock, which the times of events and `updatedAt` are by. */
  readonly readAt: string;
}

/** The subscription, or null. */
export async function findSubscription(
  db: Database,
  name: string,
): Promise<ReadSubscription | null> {
  const rows = await db.$queryRaw<(Row & { readonly readAt: Date })[]>`
    SELECT name, types, cursor_xid::text || '-' || cursor_position AS cursor, paused,
      updated_at AS "updatedAt", now() AS "readAt"
    FROM subscriptions WHERE name = ${name}`;
  const [row] = rows;
  if (row === undefined) return null;
  const { updatedAt, readAt } = row;
  return { ...row, updatedAt: updatedAt.toISOString(), readAt: readAt.toISOString() };
}

/**
 * Moves the cursor. False when it is not where it was read, because another pump took over or an
 * operator rewound it, or when the types have changed, so that the batch was read without some of
 * them; then nothing is written.
 */
export async function advanceCursor(
  db: Database,
  { name, types, ...read }: Pick<Subscription, 'name' | 'types' | 'cursor'>,
  to: LogCursor,
): Promise<boolean> {
  const from = splitCursor(read.cursor);
  const target = splitCursor(to);
  const moved = await db.$executeRaw`
    UPDATE subscriptions SET cursor_xid = ${target.xid}::text::xid8,
      cursor_position = ${target.position}::text::bigint, updated_at = now()
    WHERE name = ${name} AND types = ${[...types]}::text[] AND cursor_xid = ${from.xid}::text::xid8
      AND cursor_position = ${from.position}::text::bigint AND NOT paused`;
  return moved === 1;
}

/** Pauses or resumes the deliveries of a subscription. False when none has that name. */
export async function pauseSubscription(
  db: Transaction,
  name: string,
  paused: boolean,
): Promise<boolean> {
  const changed = await db.$executeRaw`
    UPDATE subscriptions SET paused = ${paused}, updated_at = now() WHERE name = ${name}`;
  return changed === 1;
}

/**
 * Moves the cursor back: the events after it are delivered again, with the same ids. `ahead`: the target
 * is after the cursor, and moving there would lose events; then nothing is written.
 */
export async function rewindSubscription(
  db: Transaction,
  name: string,
  to: LogCursor,
): Promise<'rewound' | 'ahead' | 'not_found'> {
  const { xid, position } = splitCursor(to);
  const changed = await db.$executeRaw`
    UPDATE subscriptions SET cursor_xid = ${xid}::text::xid8,
      cursor_position = ${position}::text::bigint, updated_at = now()
    WHERE name = ${name}
      AND (cursor_xid, cursor_position) >= (${xid}::text::xid8, ${position}::text::bigint)`;
  if (changed === 1) return 'rewound';
  return (await db.subscription.count({ where: { name } })) === 0 ? 'not_found' : 'ahead';
}

/** Deletes a subscription. Its pump then ends. */
export async function removeSubscription(db: Transaction, name: string): Promise<void> {
  await db.subscription.deleteMany({ where: { name } });
}

/** The names of all subscriptions. */
export async function listSubscriptionNames(db: Database): Promise<readonly string[]> {
  const rows = await db.subscription.findMany({ select: { name: true } });
  return rows.map((row) => row.name);
}

/** Subscriptions with their lag, by name; one page after `startingAfter`. */
export async function listSubscriptions(
  db: Database,
  page: { readonly limit: number; readonly startingAfter?: string | undefined } = ALL,
): Promise<readonly SubscriptionLag[]> {
  return readLags(db, Prisma.sql`s.name > ${page.startingAfter ?? ''}`, page.limit);
}

/** One subscription with its lag, or null. */
export async function findSubscriptionLag(
  db: Database,
  name: string,
): Promise<SubscriptionLag | null> {
  const [found] = await readLags(db, Prisma.sql`s.name = ${name}`, 1);
  return found ?? null;
}

async function readLags(
  db: Database,
  where: Prisma.Sql,
  limit: number,
): Promise<readonly SubscriptionLag[]> {
  const rows = await db.$queryRaw<LagRow[]>`
    SELECT s.name, s.types, s.cursor_xid::text || '-' || s.cursor_position AS cursor, s.paused,
      s.updated_at AS "updatedAt", l.behind, l."passedUntil",
      greatest(EXTRACT(epoch FROM now() - l."passedUntil"), 0)::float8 AS "lagSeconds"
    FROM (SELECT * FROM subscriptions s WHERE ${where} ORDER BY name LIMIT ${limit}) s, LATERAL (
      SELECT count(*) FILTER (WHERE wanted)::int AS behind,
        COALESCE(min(e.time) FILTER (WHERE wanted),
          CASE WHEN count(*) = ${LAG_COUNTED} THEN max(e.time) END, now()) AS "passedUntil"
      FROM (
        SELECT time, s.types = '{}' OR type = ANY(s.types) AS wanted FROM events
        WHERE (xid, position) > (s.cursor_xid, s.cursor_position)
          AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid, position LIMIT ${LAG_COUNTED}) e) l
    ORDER BY s.name`;
  return rows.map((row) => ({
    ...row,
    updatedAt: row.updatedAt.toISOString(),
    passedUntil: row.passedUntil.toISOString(),
  }));
}

type Row = Omit<Subscription, 'updatedAt'> & { readonly updatedAt: Date };
type LagRow = Row & Pick<SubscriptionLag, 'behind' | 'lagSeconds'> & { readonly passedUntil: Date };
