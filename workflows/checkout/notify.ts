/** Notifies the customer. A notification that cannot be sent is recorded and never cancels an order. */
import { isCancellation, log, TemporalFailure } from '@temporalio/workflow';
import { notificationStep } from '../../domain/attention.ts';
import type { Notification } from '../../domain/ids.ts';
import { failureSummary } from '../failure-summary.ts';
import { steps } from '../steps.ts';
import type { CheckoutRun } from './state.ts';

export async function notify(run: CheckoutRun, notification: Notification): Promise<void> {
  const { orderId, progress } = run;
  try {
    await progress.track(notificationStep(notification), () =>
      steps.notifyCustomer({ orderId, notification }),
    );
  } catch (error) {
    // The order is being cancelled: the next notification says so.
    if (isCancellation(error)) return;
    if (!(error instanceof TemporalFailure)) throw error;
    const failure = failureSummary(error);
    await recordFailed({ orderId, notification, failure });
  }
}

/** Nothing awaits it while an order is cancelled, so it never rejects. */
async function recordFailed(
  failed: Parameters<typeof steps.recordNotificationFailed>[0],
): Promise<void> {
  try {
    await steps.recordNotificationFailed(failed);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    log.error('a notification was not sent, and that could not be recorded', { ...failed });
  }
}
