/** Telling the customer. A notice that cannot be sent is recorded and never undoes an order. */
import { isCancellation, TemporalFailure } from '@temporalio/workflow';
import type { Notification } from '../../domain/ids.ts';
import { failureSummary } from '../failure-summary.ts';
import type { CheckoutRun } from './state.ts';
import { steps } from '../steps.ts';

export async function notify(run: CheckoutRun, notification: Notification): Promise<void> {
  const { orderId, progress } = run;
  try {
    await progress.track(`notify: ${notification}`, () =>
      steps.notifyCustomer({ orderId, notification }),
    );
  } catch (error) {
    // The order turned round: the next notice says so.
    if (isCancellation(error)) return;
    if (!(error instanceof TemporalFailure)) throw error;
    const failure = failureSummary(error);
    await steps.recordNotificationFailed({ orderId, notification, failure });
  }
}
