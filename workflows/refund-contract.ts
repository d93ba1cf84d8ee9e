/** The refund workflow as its callers see it. No person's data goes through here (G8). */
import type { WorkflowStartOptions } from '@temporalio/client';
import { defineSignal } from '@temporalio/workflow';
import { refundWorkflowId, type OrderId, type RefundId } from '../domain/ids.ts';
import { formatMoney } from '../domain/money.ts';
import { SEARCH_ATTRIBUTES, TASK_QUEUE, type Traced } from './contract.ts';

export const REFUND_WORKFLOW = 'refund';

export interface RefundInput {
  readonly refundId: RefundId;
  readonly orderId: OrderId;
  readonly amountMinor: number;
  readonly currency: string;
  readonly correlationId: string;
}

export interface RefundResult {
  readonly status: 'succeeded' | 'failed';
}

/** A person lets a refund that waits be tried again, under the same key. */
export const retryRefundSignal = defineSignal('retryRefund');

/**
 * Options that start a refund's workflow: one per refund. A run that was terminated may be followed
 * by another, which goes on by the books; a finished one is not.
 */
export function refundStartOptions({
  traceparent,
  ...input
}: RefundInput & Traced): WorkflowStartOptions<(input: RefundInput) => Promise<RefundResult>> {
  const { refundId, orderId, amountMinor, currency, correlationId } = input;
  return {
    workflowId: refundWorkflowId(refundId),
    taskQueue: TASK_QUEUE,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    args: [input],
    memo: { correlationId, orderId, ...(traceparent && { traceparent }) },
    staticSummary: `Refund ${formatMoney({ amountMinor, currency })} of ${orderId}`,
    typedSearchAttributes: [
      { key: SEARCH_ATTRIBUTES.currency, value: currency },
      { key: SEARCH_ATTRIBUTES.needsAttention, value: false },
    ],
  };
}
