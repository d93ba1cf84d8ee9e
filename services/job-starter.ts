/** Starts the workflow of a job that was written. */
import type { Database } from '../prisma/client/client.ts';
import { endJob, markJobStarted, type JobStart } from '../prisma/jobs/job-status.ts';
import type { StartOutcome } from '../temporal/checkout-client.ts';
import { startRejected } from '../temporal/deadline.ts';
import type { JobClient } from '../temporal/job-client.ts';

export interface JobStarterDeps {
  readonly db: Database;
  readonly jobs: JobClient;
}

/** Starts the workflow and records that. A job whose workflow Temporal refuses has failed. Safe to repeat. */
export async function startJobAndMark(
  { db, jobs }: JobStarterDeps,
  job: JobStart,
): Promise<StartOutcome> {
  const outcome = await jobs.start(job);
  if (outcome.kind === 'rejected') {
    await endJob(db, job.id, { status: 'failed', error: startRejected(outcome) });
  }
  // One that runs already may be the run before a resume, about to end: the start is repeated until the
  // job itself has begun.
  if (outcome.kind === 'started') await markJobStarted(db, job.id);
  return outcome;
}
