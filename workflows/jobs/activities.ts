/** The contract of the activities of jobs, beside that of the others. */
import type { JobId } from '../../domain/ids.ts';
import type { JobProgress } from '../../domain/jobs.ts';
import type { ReportType } from '../../domain/reports.ts';

export interface JobRef {
  readonly jobId: JobId;
}

/**
 * `more`: there are more batches. `not_due`: it does not exist, or waits for approval. Otherwise how the
 * job has ended.
 */
export interface JobOutcome {
  readonly kind: 'more' | 'succeeded' | 'failed' | 'cancelled' | 'not_due';
  readonly progress: JobProgress;
}

/** Jobs. They have a task queue of their own, which limits how many run at once. */
export interface JobActivities {
  /** Does batch after batch for some seconds. Heartbeats with the progress; each batch is one commit. */
  runJob(input: JobRef): Promise<JobOutcome>;
}

/** What is recorded about jobs, without waiting for one of their slots. */
export interface JobRecordActivities {
  /** Ends a job that has not ended. */
  endJob(
    input: JobRef & { readonly end: 'failed' | 'cancelled'; readonly failure: string },
  ): Promise<JobOutcome>;
  /** Notifies the job's operator by mail that it has ended, if that was asked for. */
  notifyJobEnded(input: JobRef): Promise<void>;
  /** Writes the job of a nightly report, for the day before, and starts it. Once per workflow run. */
  requestReport(input: { readonly type: ReportType }): Promise<void>;
}
