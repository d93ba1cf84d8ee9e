/**
 * One job: slice after slice until it has ended. A slice is an activity of some seconds, so the card
 * shows the progress, and a job shares its slot with others. The row says how far the job is: a run that
 * was killed, or another run after the retry budget, continues there.
 */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { FailureType } from '../../domain/failures.ts';
import { jobWorkflowId } from '../../domain/ids.ts';
import { progressInWords } from '../../domain/jobs.ts';
import { LAST_LINES } from '../checkout/card.ts';
import { failureSummary } from '../failure-summary.ts';
import { retryBriefly } from '../failure-type.ts';
import { continueAs, requireInput, takesUndecoded } from '../inputs.ts';
import { details } from '../limits.ts';
import { MAIL_ATTEMPT_TIMEOUT } from '../steps.ts';
import type { JobActivities, JobOutcome, JobRecordActivities } from './activities.ts';
import { JOBS_TASK_QUEUE, type JobInput, type JobResult } from './contract.ts';
import { jobInput } from './inputs.ts';

const { runJob } = proxyActivities<JobActivities>({
  taskQueue: JOBS_TASK_QUEUE,
  startToCloseTimeout: '2 minutes',
  // Above the longest batch, or item of a bulk action.
  heartbeatTimeout: '15 seconds',
  // About an hour of attempts, however long one waits for a slot. A slice that succeeds begins anew.
  retry: { initialInterval: '1 second', maximumInterval: '1 minute', maximumAttempts: 65 },
  // The running batch is committed before the job is said to be cancelled.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'Run some batches',
});

const RECORD = {
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '30 days',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '1 minute' },
} as const;
const { endJob } = proxyActivities<Pick<JobRecordActivities, 'endJob'>>({
  ...RECORD,
  summary: 'Record how the job ended',
});
const { notifyJobEnded } = proxyActivities<Pick<JobRecordActivities, 'notifyJobEnded'>>({
  ...RECORD,
  startToCloseTimeout: MAIL_ATTEMPT_TIMEOUT,
  // A mail that is a day late is of no use.
  scheduleToCloseTimeout: '1 day',
  summary: 'Notify the operator',
});

takesUndecoded(report);
takesUndecoded(importItems);
takesUndecoded(bulk);

export function report(given: JobInput): Promise<JobResult> {
  return run(given);
}

/** Named `import` in Temporal. */
export function importItems(given: JobInput): Promise<JobResult> {
  return run(given);
}

export function bulk(given: JobInput): Promise<JobResult> {
  return run(given);
}

async function run(given: JobInput): Promise<JobResult> {
  const scope = CancellationScope.current();
  const input = requireInput(jobInput, given, ({ jobId }) => jobWorkflowId(jobId));
  show('Queued: waits for a free slot.');
  try {
    for (;;) {
      const { kind, progress } = await retryBriefly(() => runJob(input));
      if (kind !== 'more') return await conclude(input, { kind, progress });
      show(`Runs: ${progressInWords(progress)}.`);
      // A next run would not know of a cancel; here the next step throws.
      if (workflowInfo().continueAsNewSuggested && !scope.consideredCancelled) break;
    }
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    // A cancelled activity of a dead worker ends by its timeout.
    const isCancelled = isCancellation(error) || scope.consideredCancelled;
    return CancellationScope.nonCancellable(() => endEarly(input, error, isCancelled));
  }
  return continueAs(input);
}

/** Records a cancel, or what used up the retry budget, and ends the workflow in the same way. */
async function endEarly(
  input: JobInput,
  error: TemporalFailure,
  isCancelled: boolean,
): Promise<JobResult> {
  const end = isCancelled ? 'cancelled' : 'failed';
  const failure = failureSummary(error);
  const outcome = await retryBriefly(() => endJob({ ...input, end, failure }));
  const result = await conclude(input, outcome);
  if (outcome.kind !== end) return result;
  // Also when the attempt failed on its own before it learned of the cancel.
  if (isCancelled) throw new CancelledFailure('the job was cancelled');
  throw ApplicationFailure.nonRetryable(failure, 'job_failed' satisfies FailureType);
}

async function conclude(input: JobInput, { kind, progress }: JobOutcome): Promise<JobResult> {
  show(`${ENDS[kind]} ${progressInWords(progress)}.`);
  await CancellationScope.nonCancellable(() => notify(input));
  return { status: kind, progress };
}

const ENDS = {
  more: 'Runs:',
  succeeded: 'Succeeded:',
  failed: 'Failed:',
  cancelled: 'Cancelled:',
  not_due: 'It does not exist, or waits for approval:',
} as const;

/** A mail that cannot be sent changes nothing about the job. */
async function notify(input: JobInput): Promise<void> {
  try {
    await retryBriefly(() => notifyJobEnded(input));
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
  }
}

function show(sentence: string): void {
  setCurrentDetails(details([sentence, ...LAST_LINES].join('\n')));
}
