/**
 * Runs jobs. The row says how far a job is, and nothing else does: an attempt reads it, does batch after
 * batch, and each batch is one commit with its progress. So a killed attempt loses at most the batch that
 * it had not committed, and one that was replaced cannot commit any more.
 */
import { Context } from '@temporalio/activity';
import type { JobProgress } from '../../domain/jobs.ts';
import { beginJob, endJob, setJobTotal } from '../../prisma/jobs/job-status.ts';
import { JobAdvancedError, requireJob, type Job } from '../../prisma/jobs/jobs.ts';
import type { JobActivities, JobOutcome } from '../../workflows/jobs/activities.ts';
import { jobFailed, jobTypeUnknown } from '../failures.ts';
import { guarded } from '../guarded.ts';
import type { JobDependencies, JobType } from './job-type.ts';
import { JOB_TYPES } from './registry.ts';

/** The workflow's card is as old as that, and so long a job keeps its slot from others. */
const SLICE_MS = 10_000;
/** As much as a person may want to download, and a database to keep. */
const MAX_OUTPUT_BYTES = 100_000_000;

export function createJobActivities(
  deps: JobDependencies & {
    /** Aborted when this process shuts down: slices end at once. */
    readonly stopping: AbortSignal;
  },
): JobActivities {
  return guarded<JobActivities>({
    async runJob({ jobId }) {
      const { heartbeatDetails } = Context.current().info;
      // Until the row is read, which the database may not allow yet, the job shows what it showed.
      if (heartbeatDetails !== undefined) Context.current().heartbeat(heartbeatDetails);
      const job = await beginJob(deps.db, jobId);
      if (job === null || job.status === 'awaiting_approval') {
        return NOT_DUE;
      }
      const type = JOB_TYPES[job.type];
      if (type === undefined) throw jobTypeUnknown(job.type);
      return outcomeOf(await runSlice(deps, type, job));
    },
  });
}

/** There is no such job. */
export const NOT_DUE: JobOutcome = {
  kind: 'not_due',
  progress: { total: null, done: 0, failed: 0 },
};

/** The outcome that the workflow gets of a job that was begun. */
export function outcomeOf(job: Job): JobOutcome {
  const progress = progressOf(job);
  switch (job.status) {
    case 'queued':
    case 'running':
    case 'cancelling':
      return { kind: 'more', progress };
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return { kind: job.status, progress };
    case 'awaiting_approval':
      return { kind: 'not_due', progress };
  }
}

function progressOf({ total, done, failed }: Job): JobProgress {
  return { total, done, failed };
}

/** Does batches until the job has ended, or for the time of a slice. Returns the job as it is then. */
async function runSlice(
  deps: Parameters<typeof createJobActivities>[0],
  type: JobType,
  begun: Job,
): Promise<Job> {
  const endsAtMs = performance.now() + SLICE_MS;
  let job = await prepare(deps, type, begun);
  while (job.status === 'running') {
    await showProgress(job);
    if (performance.now() >= endsAtMs || deps.stopping.aborted) return job;
    if (job.outputBytes > MAX_OUTPUT_BYTES) throw outputTooLarge();
    job = await runBatch(deps, type, job);
  }
  if (job.status !== 'cancelling') return job;
  return (await endJob(deps.db, job.id, { status: 'cancelled' })) ?? job;
}

/** Counts the items, before the first batch. */
async function prepare(deps: JobDependencies, type: JobType, job: Job): Promise<Job> {
  if (job.status !== 'running' || job.batches > 0 || job.total !== null) return job;
  const total = await type.prepare(deps, job);
  return total === null ? job : setJobTotal(deps.db, job.id, total);
}

async function runBatch(deps: JobDependencies, type: JobType, job: Job): Promise<Job> {
  try {
    if ((await type.next(deps, job)) === 'done') {
      return (await endJob(deps.db, job.id, { status: 'succeeded' })) ?? job;
    }
  } catch (error) {
    // Another attempt was quicker, or the job has ended: the row says what is left to do.
    if (!(error instanceof JobAdvancedError)) throw error;
  }
  return requireJob(deps.db, job.id);
}

/** Throws when the attempt is cancelled. */
async function showProgress(job: Job): Promise<void> {
  const context = Context.current();
  context.heartbeat(progressOf(job));
  if (context.cancellationSignal.aborted) await context.cancelled;
}

function outputTooLarge(): Error {
  const megabytes = MAX_OUTPUT_BYTES / 1_000_000;
  return jobFailed(`the output is larger than ${megabytes} MB: ask for a shorter window`);
}
