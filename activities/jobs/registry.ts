/** What each type of job does: a type is one entry here, and a call of the API that creates it. */
import type { Database } from '../../prisma/client/client.ts';
import type { Job } from '../../prisma/jobs/jobs.ts';

export interface JobDependencies {
  readonly db: Database;
}

export interface JobType<Deps = JobDependencies> {
  /** Counts the items; null when only the end will tell. Called once, before the first batch. */
  prepare(deps: Deps, job: Job): Promise<number | null>;
  /**
   * Does one batch: reads what is after `job.cursor`, and commits its work together with `advanceJob`.
   * `done`: nothing is left. It takes at most 5 s, because a cancel and a heartbeat wait for it, and it
   * is repeated when it was killed before its commit. Throws `jobFailed` when a repeat cannot succeed.
   */
  next(deps: Deps, job: Job): Promise<'more' | 'done'>;
}

/** By the type of the job. */
export const JOB_TYPES: Readonly<Record<string, JobType>> = {};
