/** A nightly report: its schedule starts this, which writes the job of the day before. */
import { proxyActivities } from '@temporalio/workflow';
import { retryBriefly } from '../failure-type.ts';
import { requireInput, takesUndecoded } from '../inputs.ts';
import type { JobRecordActivities } from './activities.ts';
import type { RequestReportInput } from './contract.ts';
import { requestReportInput } from './inputs.ts';

const activities = proxyActivities<Pick<JobRecordActivities, 'requestReport'>>({
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '12 hours',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
  summary: 'Request the report',
});

takesUndecoded(requestReport);

export async function requestReport(given: RequestReportInput): Promise<void> {
  const input = requireInput(requestReportInput, given);
  await retryBriefly(() => activities.requestReport(input));
}
