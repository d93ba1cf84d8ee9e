/** One job without progress: whether a running workflow explains it, and how it is recovered when none does. */
import { log } from '@temporalio/activity';
import { endJob, markJobStarted, type JobStart } from '../../prisma/jobs/job-status.ts';
import { requireJob } from '../../prisma/jobs/jobs.ts';
import type { SweepDependencies } from './dependencies.ts';
import { END_REASONS, requireDone, requireReached, startRefused } from './run-states.ts';

/** `explained`: its workflow proceeds, or it has just begun. */
export type StuckJobOutcome = 'explained' | 'restarted' | 'failed';

type JobRecovery = Pick<SweepDependencies, 'db' | 'jobs'>;

/**
 * A job that was not begun, or whose workflow Temporal lost, is started again; one whose workflow was
 * terminated, or whose task keeps failing, has failed, and is resumed by a person. Throws an OutageError
 * when Temporal cannot be reached.
 */
export async function recoverStuckJob(deps: JobRecovery, job: JobStart): Promise<StuckJobOutcome> {
  const { kind } = requireDone(await deps.jobs.inspect(job.id));
  if (kind === 'running') return 'explained';
  if (kind === 'failing') {
    // A run that is resumed must not find this one open.
    requireDone(await deps.jobs.terminate(job.id, END_REASONS[kind]));
    return fail(deps, job, END_REASONS[kind]);
  }
  const { status } = await requireJob(deps.db, job.id);
  if (kind === 'missing' || status === 'queued') return restart(deps, job);
  return fail(deps, job, END_REASONS[kind]);
}

async function restart(deps: JobRecovery, job: JobStart): Promise<StuckJobOutcome> {
  const started = requireReached(await deps.jobs.start(job));
  if (started.kind === 'rejected') return fail(deps, job, startRefused(started.reason));
  if (started.kind === 'already_started') return 'explained';
  await markJobStarted(deps.db, job.id);
  log.warn('restarted a job that had no workflow', { job_id: job.id });
  return 'restarted';
}

async function fail(
  { db }: JobRecovery,
  { id }: JobStart,
  error: string,
): Promise<StuckJobOutcome> {
  await endJob(db, id, { status: 'failed', error });
  return 'failed';
}
