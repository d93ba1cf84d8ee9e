/** Resends a notification that the checkout could not send, when an operator requests it. */
import { TemporalFailure } from '@temporalio/workflow';
import type { NotificationInput } from './contract.ts';
import { failureSummary } from '../failure-summary.ts';
import { steps } from '../steps.ts';

export async function resendNotification(input: NotificationInput): Promise<void> {
  try {
    await steps.notifyCustomer(input);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    await steps.recordNotificationFailed({ ...input, failure: failureSummary(error) });
  }
}
