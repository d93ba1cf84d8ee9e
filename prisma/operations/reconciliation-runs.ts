/**
 * Runs of the reconciliation, one at a time; their findings are in discrepancies.ts. Writes are raw SQL
 * for the database's clock.
 */
import type { Database, Transaction } from '../client/client.ts';
import type { Prisma } from '../generated/client.ts';
import type { ReconciliationScope, ReconciliationStatus } from '../generated/enums.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';
import { readCounts } from '../client/columns.ts';

export interface Reconciliation {
  readonly id: string;
  readonly scope: ReconciliationScope;
  readonly status: ReconciliationStatus;
  readonly actor: string;
  readonly windowFrom: string;
  readonly windowTo: string;
  /** How many records were compared, by kind. */
  readonly checked: Readonly<Record<string, number>>;
  /** Discrepancies found for the first time, and those resolved. */
  readonly found: number;
  readonly resolved: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
}

/** A run that did not end within this time has died. */
const DEAD_AFTER_MS = 3 * 3_600_000;

interface OpenRequest extends Pick<Reconciliation, 'id' | 'scope' | 'windowFrom' | 'windowTo'> {
  /** Null: the schedule, whose workflow opens its run itself. */
  readonly by: RequestingOperator | null;
}

interface RequestingOperator extends Operator {
  readonly claim: KeyClaim;
  readonly response: (run: Reconciliation) => StoredResponse;
}

/**
 * Starts a run under the caller's id; a repeat finds it. `running`: another run is in progress and is
 * returned instead. An operator's response is stored in either case. Throws KeyTakenError.
 */
export async function openReconciliation(
  db: Database,
  request: OpenRequest,
): Promise<{ readonly kind: 'opened' | 'running'; readonly run: Reconciliation }> {
  const { id, by } = request;
  await db.$executeRaw`
    UPDATE reconciliations SET status = 'failed', finished_at = now()
    WHERE status = 'running'
      AND COALESCE(workflow_started_at, started_at) < now() - ${DEAD_AFTER_MS} * interval '1 ms'`;
  const opened = await db.$transaction(async (tx) => {
    await insertRun(tx, request);
    const where = { OR: [{ id }, { status: 'running' as const }] };
    const rows = await tx.reconciliation.findMany({ where });
    const row = rows.find((each) => each.id === id) ?? rows[0];
    if (row === undefined) return null;
    const run = toRun(row);
    if (by !== null) await insertCompletedKey(tx, by.claim, by.response(run));
    return { kind: row.id === id ? 'opened' : 'running', run } as const;
  });
  // Null: the other run ended between the two statements.
  return opened ?? openReconciliation(db, request);
}

async function insertRun(tx: Transaction, { by, ...run }: OpenRequest): Promise<void> {
  const actor = by === null ? 'schedule' : `operator/${by.apiKeyId}`;
  const added = await tx.$executeRaw`
    INSERT INTO reconciliations
      (id, scope, status, actor, window_from, window_to, workflow_started_at)
    VALUES (${run.id}, ${run.scope}, 'running', ${actor}, ${run.windowFrom}::timestamptz,
      ${run.windowTo}::timestamptz, CASE WHEN ${by === null} THEN now() END)
    ON CONFLICT DO NOTHING`;
  if (added === 0 || by === null) return;
  const data = { scope: run.scope };
  await recordAction(tx, by, { action: 'reconciliation.started', subject: run.id, data });
}

/** The run requested `olderThanMs` ago whose workflow is not known to have started. */
export async function findUnstartedReconciliation(
  db: Database,
  { olderThanMs }: { readonly olderThanMs: number },
): Promise<Pick<Reconciliation, 'id' | 'scope'> | null> {
  const rows = await db.$queryRaw<Pick<Reconciliation, 'id' | 'scope'>[]>`
    SELECT id, scope FROM reconciliations
    WHERE status = 'running' AND workflow_started_at IS NULL
      AND started_at <= now() - ${olderThanMs} * interval '1 ms'`;
  return rows[0] ?? null;
}

/** Records that the run's workflow was started. */
export async function markReconciliationStarted(db: Database, id: string): Promise<void> {
  await db.$executeRaw`
    UPDATE reconciliations SET workflow_started_at = now()
    WHERE id = ${id} AND workflow_started_at IS NULL`;
}

/** Ends a run, once. */
export async function closeReconciliation(
  db: Database,
  id: string,
  ended: { readonly status: 'completed' | 'failed'; readonly checked: Reconciliation['checked'] },
): Promise<void> {
  await db.$executeRaw`
    UPDATE reconciliations SET status = ${ended.status}, finished_at = now(),
      checked = ${JSON.stringify(ended.checked)}::jsonb,
      found = (SELECT count(*) FROM reconciliation_discrepancies WHERE first_run_id = ${id}),
      resolved = (SELECT count(*) FROM reconciliation_discrepancies WHERE resolved_run_id = ${id})
    WHERE id = ${id} AND status = 'running'`;
}

/** The run, or null. */
export async function findReconciliation(
  db: Transaction,
  id: string,
): Promise<Reconciliation | null> {
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

function toRun(row: Prisma.ReconciliationGetPayload<object>): Reconciliation {
  return {
    id: row.id,
    scope: row.scope,
    status: row.status,
    actor: row.actor,
    windowFrom: row.windowFrom.toISOString(),
    windowTo: row.windowTo.toISOString(),
    checked: readCounts(row.checked),
    found: row.found,
    resolved: row.resolved,
    startedAt: row.startedAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}
