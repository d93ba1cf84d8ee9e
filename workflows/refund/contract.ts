/** The contract of the refund workflow. It carries nothing of a customer; `actor` names an operator. */
import type { WorkflowStartOptions } from '@temporalio/client';
import { defineSignal } from '@temporalio/workflow';
import { refundWorkflowId, type OrderId, type RefundId } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import { memoOf, SEARCH_ATTRIBUTES, TASK_QUEUE, type Noted } from '../checkout/contract.ts';
import { summary } from '../limits.ts';

export const REFUND_WORKFLOW = 'refund';

export interface RefundInput {
  readonly refundId: RefundId;
  readonly orderId: OrderId;
  readonly amountMinor: number;
  readonly currency: string;
  /** As of a checkout. */
  readonly inspectable?: boolean;
}

/** The input, and what operators see of the workflow. */
type Shown = RefundInput & Noted;

export interface RefundResult {
  readonly status: 'succeeded' | 'failed';
}

/** Who retries a refund. */
export interface RetryRefund {
  readonly actor: string;
}

/** Retries a refund that needs attention, under the same key. */
export const retryRefundSignal = defineSignal<[RetryRefund]>('retryRefund');

/** A hint that the provider has something new of the refund: it is looked up at once. */
export const refundChangedSignal = defineSignal('refundChanged');

/** Options that start a refund's workflow: one per refund, not again after it succeeded. */
export function refundStartOptions({
  traceparent,
  correlationId,
  consoleUrl,
  inspectable = false,
  ...input
}: Shown): WorkflowStartOptions<(input: RefundInput) => Promise<RefundResult>> {
  const { refundId, orderId, amountMinor, currency } = input;
  return {
    workflowId: refundWorkflowId(refundId),
    taskQueue: TASK_QUEUE,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    args: [{ ...input, ...(inspectable && { inspectable }) }],
    memo: { ...memoOf({ correlationId, traceparent, consoleUrl }), orderId },
    staticSummary: summary(`Refund ${formatMoney({ amountMinor, currency })} of ${orderId}`),
    typedSearchAttributes: [
      { key: SEARCH_ATTRIBUTES.currency, value: currency },
      { key: SEARCH_ATTRIBUTES.needsAttention, value: false },
    ],
  };
}

/** Options that start another run for an open refund when an operator retries it. */
export function refundRetryOptions(input: Shown): ReturnType<typeof refundStartOptions> {
  return { ...refundStartOptions(input), workflowIdReusePolicy: 'ALLOW_DUPLICATE' };
}
