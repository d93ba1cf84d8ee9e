/** Starts, cancels and inspects the workflows of jobs. Every call has a deadline and is safe to repeat. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { jobKindOf, jobWorkflowId, type JobId } from '../domain/ids.ts';
import type { JobStart } from '../prisma/jobs/job-status.ts';
import { jobStartOptions } from '../workflows/jobs/contract.ts';
import type { StartOutcome } from './checkout-client.ts';
import { createTemporalDeadline, type Rejected, type Unavailable } from './deadline.ts';
import { inspectRun, type RunOutcome } from './describe-run.ts';
import { startOnce } from './start.ts';

export interface JobClient {
  /** Starts the job's workflow, unless it runs. */
  start(job: JobStart): Promise<StartOutcome>;
  /** Asks a running workflow to end now, also while it waits for another attempt. */
  cancel(id: JobId): Promise<{ readonly kind: 'cancelled' | 'missing' } | Unavailable | Rejected>;
  /** Ends a run that cannot proceed. */
  terminate(
    id: JobId,
    reason: string,
  ): Promise<{ readonly kind: 'terminated' | 'missing' } | Unavailable | Rejected>;
  /** Reads the state of the job's workflow. */
  inspect(id: JobId): Promise<RunOutcome | Unavailable | Rejected>;
}

const CALL_DEADLINE_MS = 5_000;

export function createJobClient(options: { readonly client: () => Client | null }): JobClient {
  const withDeadline = createTemporalDeadline(options.client);
  return {
    start: ({ id, type }) =>
      withDeadline(CALL_DEADLINE_MS, (client) =>
        startOnce(client, jobKindOf(id), jobStartOptions({ jobId: id, type })),
      ),
    cancel: (id) => withDeadline(CALL_DEADLINE_MS, (client) => cancelOnce(client, id)),
    terminate: (id, reason) =>
      withDeadline(CALL_DEADLINE_MS, (client) => terminateOnce(client, id, reason)),
    inspect: (id) =>
      withDeadline(CALL_DEADLINE_MS, (client) => inspectRun(client, jobWorkflowId(id))),
  };
}

async function cancelOnce({ workflow }: Client, id: JobId) {
  const cancel = workflow.getHandle(jobWorkflowId(id)).cancel();
  return { kind: (await unlessMissing(cancel)) ? 'cancelled' : 'missing' } as const;
}

async function terminateOnce({ workflow }: Client, id: JobId, reason: string) {
  const terminate = workflow.getHandle(jobWorkflowId(id)).terminate(reason);
  return { kind: (await unlessMissing(terminate)) ? 'terminated' : 'missing' } as const;
}

/** False: no run of the workflow is open. */
async function unlessMissing(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
