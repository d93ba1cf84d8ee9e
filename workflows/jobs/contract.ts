/** The contract of the workflows of jobs. It carries no personal data. */
import type { WorkflowStartOptions } from '@temporalio/client';
import { jobKindOf, jobWorkflowId } from '../../domain/ids.ts';
import type { JobProgress } from '../../domain/jobs.ts';
import type { ReportType } from '../../domain/reports.ts';
import { EVENTS_TASK_QUEUE } from '../events/contract.ts';
import { summary } from '../limits.ts';
import type { JobOutcome, JobRef } from './activities.ts';

/** The activities of jobs: a queue of its own, whose worker takes few at once. */
export const JOBS_TASK_QUEUE = 'jobs';

export const REQUEST_REPORT_WORKFLOW = 'requestReport';

export type JobInput = JobRef;

/** A report of the day before. */
export interface RequestReportInput {
  readonly type: ReportType;
}

export interface JobResult {
  readonly status: JobOutcome['kind'];
  readonly progress: JobProgress;
}

/** Options that start a job's workflow, or another run of one that has ended: it begins at the cursor. */
export function jobStartOptions({
  jobId,
  type,
}: JobInput & { readonly type: string }): WorkflowStartOptions<
  (input: JobInput) => Promise<JobResult>
> {
  return {
    workflowId: jobWorkflowId(jobId),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    args: [{ jobId }],
    staticSummary: summary(`${jobKindOf(jobId)}: ${type.replaceAll('_', ' ')}`),
  };
}
