/** Resends a notification that the checkout could not send, when an operator requests it. */
import { TemporalFailure } from '@temporalio/workflow';
import { notificationWorkflowId } from '../../domain/ids.ts';
import type { NotificationInput } from './contract.ts';
import { failureSummary } from '../failure-summary.ts';
import { requireInput, takesUndecoded } from '../inputs.ts';
import { notificationInput } from './inputs.ts';
import { steps } from '../steps.ts';

takesUndecoded(resendNotification);

export async function resendNotification(given: NotificationInput): Promise<void> {
  const input = requireInput(notificationInput, given, ({ orderId, notification }) =>
    notificationWorkflowId(orderId, notification),
  );
  try {
    await steps.notifyCustomer(input);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    await steps.recordNotificationFailed({ ...input, failure: failureSummary(error) });
  }
}
