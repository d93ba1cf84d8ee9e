/**
 * How a job starts, ends, is cancelled and resumed. Each change is one conditional statement: what an
 * attempt of yesterday asks for changes nothing. Raw SQL for the database's clock.
 */
import type { JobId } from '../../domain/ids.ts';
import { recordAction, type Operator } from '../access/operator-actions.ts';
import type { Database } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import { findJob, requireJob, type Job } from './jobs.ts';

/** `running`, if it was queued. Returns the job as it is now. */
export async function beginJob(db: Database, id: JobId): Promise<Job | null> {
  await db.$executeRaw`
    UPDATE jobs SET status = 'running', started_at = COALESCE(started_at, now()),
      workflow_started_at = COALESCE(workflow_started_at, now()), progress_at = now()
    WHERE id = ${id} AND status = 'queued'`;
  return findJob(db, id);
}

/** Records the number of items. */
export async function setJobTotal(db: Database, id: JobId, total: number): Promise<Job> {
  await db.$executeRaw`
    UPDATE jobs SET total = GREATEST(${total}, done) WHERE id = ${id} AND total IS NULL`;
  return requireJob(db, id);
}

/** How a job ended; only a failure has words. */
export type JobEnd =
  | { readonly status: 'succeeded' | 'cancelled' }
  | { readonly status: 'failed'; readonly error: string };

/** Ends a job that is queued or runs. Returns the job as it is now: one that had ended stays as it was. */
export async function endJob(db: Database, id: JobId, end: JobEnd): Promise<Job | null> {
  const error = end.status === 'failed' ? end.error : null;
  await db.$executeRaw`
    UPDATE jobs SET status = ${end.status}::job_status, error = ${error}, finished_at = now(),
      total = CASE WHEN ${end.status} = 'succeeded' THEN done ELSE total END
    WHERE id = ${id} AND status IN ('queued', 'running', 'cancelling')`;
  return findJob(db, id);
}

export type CancelOutcome =
  /** `cancelling`: it ends after the running batch. */
  | { readonly kind: 'cancelled' | 'cancelling'; readonly job: Job }
  | { readonly kind: 'ended'; readonly job: Job };

/** One that has not begun is cancelled at once. A repeat changes nothing. */
export function cancelJob(db: Database, by: Operator, id: JobId): Promise<CancelOutcome> {
  return db.$transaction(async (tx) => {
    const rows = await tx.$queryRaw<{ status: 'cancelled' | 'cancelling' }[]>`
      UPDATE jobs SET
        status = CASE status WHEN 'running' THEN 'cancelling' ELSE 'cancelled' END::job_status,
        finished_at = CASE status WHEN 'running' THEN NULL ELSE now() END
      WHERE id = ${id} AND status IN ('awaiting_approval', 'queued', 'running')
      RETURNING status`;
    const job = await requireJob(tx, id);
    const [changed] = rows;
    if (changed === undefined) {
      return { kind: job.status === 'cancelling' ? 'cancelling' : 'ended', job };
    }
    await recordAction(tx, by, { action: `${job.kind}.cancelled`, subject: id });
    return { kind: changed.status, job };
  });
}

/**
 * Queues a failed or cancelled job again; it continues after its last batch. `refused`: it has not
 * ended, has succeeded, or has never begun.
 */
export function resumeJob(
  db: Database,
  by: Operator,
  id: JobId,
): Promise<{ readonly kind: 'resumed' | 'refused'; readonly job: Job }> {
  return db.$transaction(async (tx) => {
    const resumed = await tx.$executeRaw`
      UPDATE jobs SET status = 'queued', error = NULL, finished_at = NULL,
        workflow_started_at = NULL, progress_at = now()
      WHERE id = ${id} AND status IN ('failed', 'cancelled') AND started_at IS NOT NULL`;
    const job = await requireJob(tx, id);
    if (resumed === 0) return { kind: 'refused', job };
    await recordAction(tx, by, { action: `${job.kind}.resumed`, subject: id });
    return { kind: 'resumed', job };
  });
}

export type ApproveOutcome =
  | { readonly kind: 'approved'; readonly job: Job }
  /** `own`: who asked for the job may not approve it. `refused`: it does not wait for approval. */
  | { readonly kind: 'own' | 'refused' };

/** Queues a job that waits for approval. */
export function approveJob(db: Database, by: Operator, id: JobId): Promise<ApproveOutcome> {
  const actor = `operator/${by.apiKeyId}`;
  return db.$transaction(async (tx) => {
    const approved = await tx.$executeRaw`
      UPDATE jobs SET status = 'queued', approved_by = ${actor}, progress_at = now()
      WHERE id = ${id} AND status = 'awaiting_approval' AND actor <> ${actor}`;
    const job = await requireJob(tx, id);
    if (approved === 0) return { kind: job.actor === actor ? 'own' : 'refused' };
    await recordAction(tx, by, { action: `${job.kind}.approved`, subject: id });
    return { kind: 'approved', job };
  });
}

/** Clears the e-mail to notify: the mail was sent, or cannot be. */
export async function clearNotifyEmail(db: Database, id: JobId): Promise<void> {
  await db.$executeRaw`UPDATE jobs SET notify_email = NULL WHERE id = ${id}`;
}

/** Records that the job's workflow was started. */
export async function markJobStarted(db: Database, id: JobId): Promise<void> {
  await db.$executeRaw`
    UPDATE jobs SET workflow_started_at = now() WHERE id = ${id} AND workflow_started_at IS NULL`;
}

/** Queued jobs whose workflow is not known to have started. */
export async function listUnstartedJobs(
  db: Database,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<readonly JobStart[]> {
  const rows = await db.$queryRaw<{ id: string; type: string }[]>`
    SELECT id, type FROM jobs
    WHERE status = 'queued' AND workflow_started_at IS NULL
      AND progress_at <= now() - ${olderThanMs} * interval '1 ms'
    ORDER BY id LIMIT ${limit}`;
  return rows.map(toStart);
}

/** What starts a job's workflow. */
export interface JobStart {
  readonly id: JobId;
  readonly type: string;
}

/**
 * Open jobs without progress for `idleMs`, except those that were checked within `recheckMs`; the
 * longest unchecked first.
 */
export async function listStuckJobs(
  db: Database,
  filter: { readonly idleMs: number; readonly recheckMs: number; readonly limit: number },
): Promise<readonly JobStart[]> {
  const rows = await db.$queryRaw<{ id: string; type: string }[]>`
    SELECT id, type FROM jobs
    WHERE status IN ('queued', 'running', 'cancelling')
      AND progress_at < now() - ${filter.idleMs} * interval '1 ms'
      AND (checked_at IS NULL OR checked_at < now() - ${filter.recheckMs} * interval '1 ms')
    ORDER BY checked_at NULLS FIRST, id LIMIT ${filter.limit}`;
  return rows.map(toStart);
}

/** Records that recovering the job is tried now. */
export async function markJobChecked(db: Database, id: JobId): Promise<void> {
  await db.$executeRaw`UPDATE jobs SET checked_at = now() WHERE id = ${id}`;
}

function toStart({ id, type }: { readonly id: string; readonly type: string }): JobStart {
  return { id: uncheckedColumn<JobId>(id), type };
}
