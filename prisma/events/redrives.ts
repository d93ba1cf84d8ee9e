/**
 * Redrives of all dead letters of one cause, and how far they got: written by the process that runs one,
 * read by all. Times are the database's, hence raw SQL.
 */
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import type { RedriveStatus } from '../generated/enums.ts';

export interface Redrive {
  readonly id: string;
  readonly fingerprint: string;
  readonly ratePerSecond: number;
  /** `interrupted`: it runs by its row, but the process has not written for a while. */
  readonly status: RedriveStatus | 'interrupted';
  readonly actor: string;
  /** The open dead letters of the cause, and those of them that the redrive tries. */
  readonly matching: number;
  readonly redriving: number;
  readonly redriven: number;
  readonly failed: number;
  readonly startedAt: Date;
  readonly updatedAt: Date;
  readonly finishedAt: Date | null;
}

/**
 * A running redrive tries at least one dead letter a second, and writes about as often. An attempt waits
 * for Temporal for some seconds.
 */
const SILENT_AFTER_MS = 60_000;

const COLUMNS = Prisma.sql`id, fingerprint, rate_per_second AS "ratePerSecond",
  CASE WHEN status = 'running' AND updated_at < now() - ${SILENT_AFTER_MS} * interval '1 ms'
    THEN 'interrupted' ELSE status::text END AS status,
  actor, matching, redriving, redriven, failed, started_at AS "startedAt",
  updated_at AS "updatedAt", finished_at AS "finishedAt"`;

export type NewRedrive = Pick<
  Redrive,
  'id' | 'fingerprint' | 'ratePerSecond' | 'actor' | 'matching' | 'redriving'
>;

/** Records the start of a redrive. */
export async function openRedrive(db: Database, redrive: NewRedrive): Promise<Redrive> {
  const { id, fingerprint, ratePerSecond, actor, matching, redriving } = redrive;
  const [opened] = await db.$queryRaw<Redrive[]>`
    INSERT INTO redrives (id, fingerprint, rate_per_second, actor, matching, redriving)
    VALUES (${id}, ${fingerprint}, ${ratePerSecond}, ${actor}, ${matching}, ${redriving})
    RETURNING ${COLUMNS}`;
  if (opened === undefined) throw new Error('INSERT returned no row');
  return opened;
}

/** Records how far the redrive got, or with another status than `running` its end. */
export async function recordProgress(
  db: Database,
  {
    id,
    status,
    redriven,
    failed,
  }: Pick<Redrive, 'id' | 'redriven' | 'failed'> & {
    readonly status: RedriveStatus;
  },
): Promise<void> {
  await db.$executeRaw`
    UPDATE redrives SET status = ${status}, redriven = ${redriven}, failed = ${failed},
      updated_at = now(), finished_at = CASE WHEN ${status} <> 'running' THEN now() END
    WHERE id = ${id}`;
}

/** The redrive, or null. */
export async function findRedrive(db: Database, id: string): Promise<Redrive | null> {
  const [found] = await db.$queryRaw<Redrive[]>`SELECT ${COLUMNS} FROM redrives WHERE id = ${id}`;
  return found ?? null;
}

/** Newest first, one page after `startingAfter`. */
export async function listRedrives(
  db: Database,
  { limit, startingAfter }: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly redrives: readonly Redrive[]; readonly hasMore: boolean }> {
  const after =
    startingAfter === undefined ? Prisma.empty : Prisma.sql`WHERE id < ${startingAfter}`;
  const redrives = await db.$queryRaw<Redrive[]>`
    SELECT ${COLUMNS} FROM redrives ${after} ORDER BY id DESC LIMIT ${limit + 1}`;
  return { redrives: redrives.slice(0, limit), hasMore: redrives.length > limit };
}
