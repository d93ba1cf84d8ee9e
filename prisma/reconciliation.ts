/** Reconciliations: their runs, and each difference they found, open until a run finds it gone. */
import { isOrderId } from '../domain/ids.ts';
import type { OrderId } from '../domain/ids.ts';
import type { Difference, DifferenceKind } from '../domain/reconciliation.ts';
import { changeOrder, orderTransaction } from './change.ts';
import type { Database, Transaction } from './client.ts';
import type { Prisma } from './generated/client.ts';
import { newId } from './new-id.ts';
import { recordAction, type Operator } from './operator-actions.ts';
import { trusted } from './trusted.ts';

export interface Reconciliation {
  readonly id: string;
  readonly scope: 'recent' | 'full';
  readonly status: 'running' | 'completed' | 'failed';
  readonly actor: string;
  readonly windowFrom: string;
  readonly windowTo: string;
  /** How much was compared, by what. */
  readonly checked: Readonly<Record<string, number>>;
  /** Differences seen for the first time, and those found gone. */
  readonly found: number;
  readonly resolved: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
}

export interface FoundDifference extends Omit<Difference, 'subject'> {
  readonly id: string;
  readonly subject: string;
  readonly orderId: OrderId | null;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  readonly resolvedAt: string | null;
}

/** A run that did not end within this died. */
const DEAD_AFTER_MS = 3 * 3_600_000;

interface OpenRequest extends Pick<Reconciliation, 'id' | 'scope' | 'windowFrom' | 'windowTo'> {
  /** Null: the schedule. */
  readonly by: Operator | null;
}

/**
 * Begins a run under the caller's id; a repeat finds it. `running`: another is under way, and is given
 * instead.
 */
export async function openReconciliation(
  db: Database,
  asked: OpenRequest,
): Promise<{ readonly kind: 'opened' | 'running'; readonly run: Reconciliation }> {
  const { id } = asked;
  await db.$executeRaw`
    UPDATE reconciliations SET status = 'failed', finished_at = now()
    WHERE status = 'running' AND started_at < now() - ${DEAD_AFTER_MS} * interval '1 ms'`;
  await db.$transaction((tx) => insertRun(tx, asked));
  const rows = await db.reconciliation.findMany({ where: { OR: [{ id }, { status: 'running' }] } });
  const row = rows.find((each) => each.id === id) ?? rows[0];
  // The other one ended between the two statements.
  if (row === undefined) return openReconciliation(db, asked);
  return { kind: row.id === id ? 'opened' : 'running', run: toRun(row) };
}

async function insertRun(tx: Transaction, { by, ...run }: OpenRequest): Promise<void> {
  const actor = by === null ? 'schedule' : `operator/${by.apiKeyId}`;
  const added = await tx.$executeRaw`
    INSERT INTO reconciliations (id, scope, status, actor, window_from, window_to)
    VALUES (${run.id}, ${run.scope}, 'running', ${actor}, ${run.windowFrom}::timestamptz,
      ${run.windowTo}::timestamptz) ON CONFLICT DO NOTHING`;
  if (added === 0 || by === null) return;
  const data = { scope: run.scope };
  await recordAction(tx, by, { action: 'reconciliation.started', subject: run.id, data });
}

/** Ends a run. One that ended already stays as it is. */
export async function closeReconciliation(
  db: Database,
  id: string,
  ended: { readonly status: 'completed' | 'failed'; readonly checked: Reconciliation['checked'] },
): Promise<void> {
  await db.$executeRaw`
    UPDATE reconciliations SET status = ${ended.status}, finished_at = now(),
      checked = ${JSON.stringify(ended.checked)}::jsonb,
      found = (SELECT count(*) FROM reconciliation_differences WHERE first_run = ${id}),
      resolved = (SELECT count(*) FROM reconciliation_differences WHERE resolved_run = ${id})
    WHERE id = ${id} AND status = 'running'`;
}

/** The run, or null. */
export async function findReconciliation(db: Database, id: string): Promise<Reconciliation | null> {
  const row = await db.reconciliation.findUnique({ where: { id } });
  return row && toRun(row);
}

/** Newest first, one page after `startingAfter`. */
export async function listReconciliations(
  db: Database,
  page: { readonly limit: number; readonly startingAfter?: string | undefined },
): Promise<{ readonly runs: readonly Reconciliation[]; readonly hasMore: boolean }> {
  const rows = await db.reconciliation.findMany({
    ...(page.startingAfter !== undefined && { where: { id: { lt: page.startingAfter } } }),
    orderBy: { id: 'desc' },
    take: page.limit + 1,
  });
  return { runs: rows.slice(0, page.limit).map(toRun), hasMore: rows.length > page.limit };
}

/** What a run found, saw again or found gone; the open ones first, at most `limit`. */
export async function listDifferencesOf(
  db: Database,
  runId: string,
  limit: number,
): Promise<readonly FoundDifference[]> {
  const rows = await db.difference.findMany({
    where: { OR: [{ firstRun: runId }, { lastRun: runId }, { resolvedRun: runId }] },
    orderBy: [{ resolvedAt: { sort: 'asc', nulls: 'first' } }, { id: 'asc' }],
    take: limit,
  });
  return rows.map(toDifference);
}

/** Open differences the run has not seen, the longest unseen first. */
export async function listUnseen(
  db: Database,
  runId: string,
  limit: number,
): Promise<readonly FoundDifference[]> {
  const rows = await db.difference.findMany({
    where: { resolvedAt: null, lastRun: { not: runId } },
    orderBy: [{ lastSeenAt: 'asc' }, { id: 'asc' }],
    take: limit,
  });
  return rows.map(toDifference);
}

/** How many are open, by kind. */
export async function countOpenDifferences(
  db: Database,
): Promise<readonly { readonly kind: DifferenceKind; readonly count: number }[]> {
  return db.$queryRaw`
    SELECT kind, count(*)::int AS count FROM reconciliation_differences
    WHERE resolved_at IS NULL GROUP BY kind`;
}

/**
 * Writes down that the run saw the difference. One seen for the first time is also an event of its
 * order, if it has one.
 */
export async function recordDifference(
  db: Database,
  runId: string,
  found: Difference & { readonly orderId: string | null },
): Promise<'new' | 'known'> {
  const orderId = found.orderId !== null && isOrderId(found.orderId) ? found.orderId : null;
  const known = orderId !== null && (await db.order.count({ where: { id: orderId } })) === 1;
  if (!known) return db.$transaction((tx) => see(tx, runId, { ...found, orderId: null }));
  return orderTransaction(db, orderId, async (tx) => {
    const seen = await see(tx, runId, { ...found, orderId });
    if (seen === 'new') await tell(tx, orderId, { type: 'order.difference_found', ...found });
    return seen;
  });
}

/** The run found the two sides in agreement. */
export async function resolveDifference(
  db: Database,
  runId: string,
  { id, kind, subject, orderId }: FoundDifference,
): Promise<void> {
  const resolve = async (tx: Transaction): Promise<number> =>
    tx.$executeRaw`
      UPDATE reconciliation_differences SET resolved_at = now(), resolved_run = ${runId}
      WHERE id = ${id} AND resolved_at IS NULL`;
  if (orderId === null) return void (await db.$transaction(resolve));
  await orderTransaction(db, orderId, async (tx) => {
    if ((await resolve(tx)) === 0) return;
    await tell(tx, orderId, { type: 'order.difference_resolved', kind, subject });
  });
}

async function see(
  tx: Transaction,
  runId: string,
  found: Difference & { readonly orderId: OrderId | null },
): Promise<'new' | 'known'> {
  const rows = await tx.$queryRaw<{ isNew: boolean }[]>`
    INSERT INTO reconciliation_differences
      (id, kind, subject, order_id, ours, theirs, first_run, last_run)
    VALUES (${newId('difference')}, ${found.kind}, ${found.subject}, ${found.orderId},
      ${JSON.stringify(found.ours)}::jsonb, ${JSON.stringify(found.theirs)}::jsonb,
      ${runId}, ${runId})
    ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO UPDATE SET
      ours = EXCLUDED.ours, theirs = EXCLUDED.theirs, last_run = EXCLUDED.last_run,
      last_seen_at = now()
    RETURNING xmax = 0 AS "isNew"`;
  return rows[0]?.isNew === true ? 'new' : 'known';
}

async function tell(
  tx: Transaction,
  orderId: OrderId,
  told: {
    readonly type: 'order.difference_found' | 'order.difference_resolved';
    readonly kind: DifferenceKind;
    readonly subject: string;
  },
): Promise<void> {
  const { type, kind, subject } = told;
  await changeOrder(tx, { orderId, type, onceKey: null, data: { kind, subject } });
}

function toRun(row: Prisma.ReconciliationGetPayload<object>): Reconciliation {
  return {
    ...row,
    scope: trusted<Reconciliation['scope']>(row.scope),
    status: trusted<Reconciliation['status']>(row.status),
    checked: trusted<Reconciliation['checked']>(row.checked),
    windowFrom: row.windowFrom.toISOString(),
    windowTo: row.windowTo.toISOString(),
    startedAt: row.startedAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}

function toDifference(row: Prisma.DifferenceGetPayload<object>): FoundDifference {
  return {
    id: row.id,
    kind: trusted<DifferenceKind>(row.kind),
    subject: row.subject,
    orderId: trusted<OrderId | null>(row.orderId),
    ours: trusted<Difference['ours']>(row.ours),
    theirs: trusted<Difference['theirs']>(row.theirs),
    firstSeenAt: row.firstSeenAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
    resolvedAt: row.resolvedAt?.toISOString() ?? null,
  };
}
