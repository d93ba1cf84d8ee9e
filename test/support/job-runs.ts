/** Runs a job as its worker does, attempt by attempt, without a workflow. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createJobActivities } from '../../activities/jobs/jobs.ts';
import type { JobDependencies } from '../../activities/jobs/job-type.ts';
import { createJobWork } from '../../api/jobs/job-work.ts';
import type { Services } from '../../api/context.ts';
import type { JobId } from '../../domain/ids.ts';
import type { JobOutcome } from '../../workflows/jobs/activities.ts';

const QUIET = { logger: new DefaultLogger('ERROR') };

export interface Attempt {
  /** Null: the attempt failed. */
  readonly outcome: JobOutcome | null;
  /** The progress that its heartbeats reported. */
  readonly heartbeats: readonly unknown[];
}

/** One attempt; `heartbeat` is the last heartbeat of the one before it. */
export async function attemptJob(
  deps: JobDependencies,
  jobId: JobId,
  heartbeat?: unknown,
): Promise<Attempt> {
  const activities = createJobActivities({ ...deps, stopping: new AbortController().signal });
  const info = heartbeat === undefined ? {} : { heartbeatDetails: heartbeat };
  const environment = new MockActivityEnvironment(info, QUIET);
  const heartbeats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => heartbeats.push(details));
  const run = (): Promise<JobOutcome> => activities.runJob({ jobId });
  const ran: Promise<JobOutcome> = environment.run(run);
  return { outcome: await ran.catch(() => null), heartbeats };
}

/** Runs the job of a shop to its end. */
export async function runJobOf(services: Services, jobId: JobId): Promise<JobOutcome> {
  const deps = { ...createJobWork(services), db: services.db };
  for (;;) {
    const { outcome } = await attemptJob(deps, jobId);
    if (outcome === null) throw new Error(`the job ${jobId} failed`);
    if (outcome.kind !== 'more') return outcome;
  }
}
