/**
 * The failed attempts at an order's steps, written by the attempts themselves: what is retried, since
 * when and why, and when again. The first success deletes the row.
 */
import { Context, type Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { notificationStep } from '../../domain/attention.ts';
import { stepOfActivity } from '../../domain/checkout-steps.ts';
import { isOrderId, type Notification, type OrderId, type RefundId } from '../../domain/ids.ts';
import { refundStep } from '../../domain/refund.ts';
import {
  countAttempt,
  clearAttempts,
  type NextAttempt,
} from '../../prisma/orders/step-attempts.ts';
import type { Database } from '../../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { causeOf, retryClassOfFailure, retryDelayMs } from '../failures.ts';

/** Counts a failed attempt. Never fails: the failure itself matters, an inexact count does not. */
export async function countFailedAttempt(
  db: Database,
  attempt: {
    readonly activity: string;
    readonly input: unknown;
    /** As Temporal sees it: no free text. */
    readonly failure: Error;
    readonly error: unknown;
    readonly tookMs: number;
  },
): Promise<void> {
  const { activity, input, failure, error, tookMs } = attempt;
  if (error instanceof CancelledFailure || isDatabaseUnavailable(error)) return;
  if (!isAboutOrder(input)) return;
  const { info } = Context.current();
  // Temporal has given up on this attempt, and another one may have succeeded.
  if (tookMs > info.startToCloseTimeoutMs) return;
  const { orderId } = input;
  const step = stepOf(activity, input);
  const isOutage = retryClassOfFailure(failure) === 'outage';
  const next = nextAttempt(info, failure, tookMs);
  try {
    await countAttempt(db, { orderId, step, failure: causeOf(failure), isOutage, next });
  } catch {
    // See above.
  }
}

/**
 * The step has succeeded: its failed attempts are history. A local attempt comes first and has none
 * before it (`localFirst` in workflows/steps.ts), so an order without trouble does not pay for this.
 */
export async function clearFailedAttempts(
  db: Database,
  { activity, input }: { readonly activity: string; readonly input: unknown },
): Promise<void> {
  if (Context.current().info.isLocal || !isAboutOrder(input)) return;
  await clearAttempts(db, input.orderId, stepOf(activity, input));
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
  const isRefund = activity === 'refundPayment' || activity === 'lookUpRefund';
  if (isRefund && refundId !== undefined) return refundStep(refundId);
  return stepOfActivity(activity) ?? activity;
}

function isAboutOrder(input: unknown): input is AboutOrder {
  if (typeof input !== 'object' || input === null || !('orderId' in input)) return false;
  return typeof input.orderId === 'string' && isOrderId(input.orderId);
}

/** What follows this attempt, as the workflow and Temporal decide it. */
function nextAttempt(info: Info, failure: Error, tookMs: number): NextAttempt {
  // The same step runs as a durable activity at once (`localFirst`).
  if (info.isLocal) return { kind: 'after', ms: 0 };
  switch (retryClassOfFailure(failure)) {
    case 'outage':
      return afterOutage(info, failure, tookMs);
    case 'brief':
      // `retryBriefly` in workflows/failure-type.ts.
      return { kind: 'brief' };
    case 'final':
      return { kind: 'none' };
  }
}

/** Temporal's own rule: https://docs.temporal.io/encyclopedia/retry-policies */
function afterOutage(info: Info, failure: Error, tookMs: number): NextAttempt {
  const { attempt, scheduledTimestampMs, currentAttemptScheduledTimestampMs } = info;
  const { maximumAttempts = 0, backoffCoefficient = 2, ...policy } = info.retryPolicy ?? {};
  if (maximumAttempts > 0 && attempt >= maximumAttempts) return { kind: 'none' };
  const firstMs = milliseconds(policy.initialInterval) ?? 1_000;
  const backoffMs = Math.min(
    firstMs * backoffCoefficient ** (attempt - 1),
    milliseconds(policy.maximumInterval) ?? firstMs * 100,
  );
  const ms = retryDelayMs(failure) ?? backoffMs;
  const sinceFirstMs = currentAttemptScheduledTimestampMs - scheduledTimestampMs + tookMs;
  const budgetMs = info.scheduleToCloseTimeoutMs;
  const isWithinBudget = budgetMs === 0 || sinceFirstMs + ms <= budgetMs;
  return isWithinBudget ? { kind: 'after', ms } : { kind: 'none' };
}

/** The SDK decodes the durations of a retry policy to numbers. */
function milliseconds(duration: unknown): number | undefined {
  return typeof duration === 'number' ? duration : undefined;
}
