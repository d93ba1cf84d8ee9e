/**
 * Jobs: work that is asked for now and done later, in batches, with progress that a person can watch.
 * Reports, imports and bulk actions are jobs.
 */

export type JobKind = 'report' | 'import' | 'bulk';

export type JobStatus =
  | 'awaiting_approval'
  | 'queued'
  | 'running'
  /** A cancel was requested; it ends after the running batch. */
  | 'cancelling'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

/** What a job reads and writes: `input` is what it was given, `errors` names the items that failed. */
export type JobStream = 'input' | 'output' | 'errors';

/** How far a job is. None of the numbers ever goes down. */
export interface JobProgress {
  /** The number of items; null until they were counted. */
  readonly total: number | null;
  /** Items dealt with, the failed ones among them. */
  readonly done: number;
  readonly failed: number;
}

/** Nothing changes any more, unless an operator resumes the job. */
export const ENDED_JOB_STATUSES = [
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly JobStatus[];

export function isEndedJob(status: JobStatus): boolean {
  return ENDED_JOB_STATUSES.some((each) => each === status);
}

/** Whole percent; 100 only when everything is done. Null while the total is not known. */
export function percentOf({ total, done }: JobProgress): number | null {
  if (total === null) return null;
  return total === 0 ? 100 : Math.floor((done / total) * 100);
}

/** The progress in words: `1,200 of 5,000 (24 %), 3 failed`. */
export function progressInWords(progress: JobProgress): string {
  const { total, done, failed } = progress;
  const of = total === null ? '' : ` of ${grouped(total)} (${percentOf(progress)} %)`;
  return `${grouped(done)}${of}${failed === 0 ? '' : `, ${grouped(failed)} failed`}`;
}

function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

export const JOB_FILES = ['output.csv', 'output.json', 'errors.csv'] as const;
export type JobFile = (typeof JOB_FILES)[number];

/** The files of a job as it is: what it wrote when it has succeeded, and what failed when it has ended. */
export function filesOf(
  job: JobProgress & {
    readonly kind: JobKind;
    readonly status: JobStatus;
  },
): readonly JobFile[] {
  const { kind, status, failed } = job;
  const output = kind === 'report' && status === 'succeeded';
  return JOB_FILES.filter((file) =>
    file === 'errors.csv' ? failed > 0 && isEndedJob(status) : output,
  );
}
