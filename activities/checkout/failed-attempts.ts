/** Counts failed attempts at an order's steps, for whoever has to decide about one. Never fails itself. */
import { CancelledFailure } from '@temporalio/common';
import { notificationStep } from '../../domain/attention.ts';
import { isOrderId, type Notification, type OrderId, type RefundId } from '../../domain/ids.ts';
import { refundStep } from '../../domain/refund.ts';
import { countAttempt } from '../../prisma/orders/step-attempts.ts';
import type { Database } from '../../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import type { Activities } from '../../workflows/activities.ts';

/** Activities that are attempts at a step of the same name, or of another. Records are none. */
const STEPS: Partial<Readonly<Record<string, string>>> = {
  reserveStock: 'reserveStock',
  releaseStock: 'releaseStock',
  capturePayment: 'capturePayment',
  voidOrRefundPayment: 'voidOrRefundPayment',
  requestShipment: 'shipOrder',
  lookUpShipment: 'shipOrder',
  cancelShipment: 'cancelShipment',
} satisfies Partial<Record<keyof Activities, string>>;

export async function countFailedAttempt(
  db: Database,
  attempt: {
    readonly activity: string;
    readonly input: unknown;
    /** As Temporal is told: closed words. */
    readonly failure: Error;
    readonly error: unknown;
  },
): Promise<void> {
  const { activity, input, failure, error } = attempt;
  if (error instanceof CancelledFailure || isDatabaseUnavailable(error)) return;
  if (!isAboutOrder(input)) return;
  const step = stepOf(activity, input);
  if (step === undefined) return;
  try {
    await countAttempt(db, { orderId: input.orderId, step, failure: failure.message });
  } catch {
    // The attempt's own failure is what matters; one more or less in the count does not.
  }
}

interface AboutOrder {
  readonly orderId: OrderId;
  readonly notification?: Notification;
  readonly refundId?: RefundId;
}

function stepOf(activity: string, { notification, refundId }: AboutOrder): string | undefined {
  if (activity === 'notifyCustomer' && notification !== undefined)
    return notificationStep(notification);
  if (activity === 'refundPayment' && refundId !== undefined) return refundStep(refundId);
  return STEPS[activity];
}

function isAboutOrder(input: unknown): input is AboutOrder {
  if (typeof input !== 'object' || input === null || !('orderId' in input)) return false;
  return typeof input.orderId === 'string' && isOrderId(input.orderId);
}
