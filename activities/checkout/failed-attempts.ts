/** Counts failed attempts at an order's steps, for the operator who decides about one. Never fails. */
import { CancelledFailure } from '@temporalio/common';
import { notificationStep } from '../../domain/attention.ts';
import { stepOfActivity } from '../../domain/checkout-steps.ts';
import { isOrderId, type Notification, type OrderId, type RefundId } from '../../domain/ids.ts';
import { refundStep } from '../../domain/refund.ts';
import { countAttempt } from '../../prisma/orders/step-attempts.ts';
import type { Database } from '../../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { patienceWith } from '../failures.ts';

export async function countFailedAttempt(
  db: Database,
  attempt: {
    readonly activity: string;
    readonly input: unknown;
    /** As Temporal sees it: no free text. */
    readonly failure: Error;
    readonly error: unknown;
  },
): Promise<void> {
  const { activity, input, failure, error } = attempt;
  if (error instanceof CancelledFailure || isDatabaseUnavailable(error)) return;
  if (!isAboutOrder(input)) return;
  const step = stepOf(activity, input);
  const isOutage = patienceWith(failure) === 'outage';
  try {
    await countAttempt(db, { orderId: input.orderId, step, failure: failure.message, isOutage });
  } catch {
    // The failure of the attempt matters, an inexact count does not.
  }
}

interface AboutOrder {
  readonly orderId: OrderId;
  readonly notification?: Notification;
  readonly refundId?: RefundId;
}

/** What only reads or records is counted by its own name: the audit names what keeps failing. */
function stepOf(activity: string, { notification, refundId }: AboutOrder): string {
  if (activity === 'notifyCustomer' && notification !== undefined)
    return notificationStep(notification);
  if (activity === 'refundPayment' && refundId !== undefined) return refundStep(refundId);
  return stepOfActivity(activity) ?? activity;
}

function isAboutOrder(input: unknown): input is AboutOrder {
  if (typeof input !== 'object' || input === null || !('orderId' in input)) return false;
  return typeof input.orderId === 'string' && isOrderId(input.orderId);
}
