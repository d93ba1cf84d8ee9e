/**
 * The contract of the checkout workflow: start options, signal, updates and query. It carries nothing of a
 * customer but the tracking number; `actor` names an operator.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import type { WorkflowStartOptions } from '@temporalio/client';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ShipmentAnswer } from '../activities.ts';
import type { Resolution, Resume } from '../../domain/attention.ts';
import { checkoutWorkflowId, type OrderId } from '../../domain/ids.ts';
import { formatMoney } from '../../domain/money.ts';
import type { CancelReason, OrderStatus } from '../../domain/order.ts';
import { keywords, summary } from '../limits.ts';

export const TASK_QUEUE = 'checkout';
export const CHECKOUT_WORKFLOW = 'checkout';

export interface CheckoutInput {
  readonly orderId: OrderId;
  readonly totalMinor: number;
  readonly currency: string;
  /** Every step is an ordinary activity: with a bar, a duration and its attempts in the Web UI. */
  readonly inspectable?: boolean;
  /** For an order whose earlier run is gone: where to continue. */
  readonly resume?: Resume;
}

/** What a workflow about an order has in its memo, beside its input. */
export interface Noted {
  readonly correlationId: string;
  /** The trace of the order, for trace.ts. */
  readonly traceparent?: string | null | undefined;
  /** The order's page in the console, for the card. */
  readonly consoleUrl?: string | undefined;
}

/** The input, and what operators see of the workflow. */
interface Shown extends CheckoutInput, Noted {
  readonly skus: readonly string[];
}

export interface CheckoutResult {
  readonly status: 'shipped' | 'cancelled';
  readonly reason: CancelReason | null;
}

/** One step of the saga, for the card in the Web UI and the `status` query. */
export interface StepView {
  readonly name: string;
  readonly state: 'waiting' | 'running' | 'done' | 'refused' | 'failed' | 'compensated' | 'skipped';
}

export interface CheckoutView {
  readonly status: OrderStatus;
  readonly steps: readonly StepView[];
  /** Steps that wait for a `resolve` update. */
  readonly waitingFor: readonly string[];
}

export interface CancelRequest {
  readonly reason: 'requested_by_customer' | 'requested_by_operator';
  /** Who cancels. Required unless the API sends it, whose update id has the API key. */
  readonly actor?: string | undefined;
}

/** The compensations of an accepted cancel, in the order they run. */
export interface CancelAccepted {
  readonly pendingCompensations: readonly string[];
}

export interface ShipmentAnswered {
  readonly correlationId: string;
  readonly answer: ShipmentAnswer;
}

export const statusQuery = defineQuery<CheckoutView>('status');
export const shipmentAnsweredSignal = defineSignal<[ShipmentAnswered]>('shipmentAnswered');
/** The warehouse reported the shipment in a way that is not understood. */
export const lookUpShipmentSignal = defineSignal('lookUpShipment');
/** No dispute, fraud warning or review of the payment is open any more. */
export const shipmentReleasedSignal = defineSignal('shipmentReleased');
export const cancelUpdate = defineUpdate<CancelAccepted, [CancelRequest]>('cancel');
export const resolveUpdate = defineUpdate<void, [Resolution]>('resolve');

/** Typed search attributes; registered on the server before the first workflow starts. */
export const SEARCH_ATTRIBUTES = {
  orderStatus: defineSearchAttributeKey('OrderStatus', 'KEYWORD'),
  orderTotal: defineSearchAttributeKey('OrderTotal', 'INT'),
  currency: defineSearchAttributeKey('Currency', 'KEYWORD'),
  sku: defineSearchAttributeKey('Sku', 'KEYWORD_LIST'),
  needsAttention: defineSearchAttributeKey('NeedsAttention', 'BOOL'),
} as const;

/**
 * Options that start an order's workflow. One at a time, and only a run that did not complete may be
 * followed by another: one that failed before the order was placed was started manually and did nothing.
 * Search attributes and summary let an operator find and read it in the Web UI.
 */
export function checkoutStartOptions({
  traceparent,
  correlationId,
  consoleUrl,
  skus,
  inspectable = false,
  ...input
}: Shown): WorkflowStartOptions<(input: CheckoutInput) => Promise<CheckoutResult>> {
  const money = formatMoney({ amountMinor: input.totalMinor, currency: input.currency });
  return {
    workflowId: checkoutWorkflowId(input.orderId),
    taskQueue: TASK_QUEUE,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    args: [{ ...input, ...(inspectable && { inspectable }) }],
    memo: memoOf({ correlationId, traceparent, consoleUrl }),
    staticSummary: summary(`${money}: ${skus.join(', ')}`),
    typedSearchAttributes: [
      { key: SEARCH_ATTRIBUTES.orderStatus, value: 'placed' },
      { key: SEARCH_ATTRIBUTES.orderTotal, value: input.totalMinor },
      { key: SEARCH_ATTRIBUTES.currency, value: input.currency },
      { key: SEARCH_ATTRIBUTES.sku, value: keywords(skus) },
      { key: SEARCH_ATTRIBUTES.needsAttention, value: false },
    ],
  };
}

/** The memo of a workflow. Old ones lack the page. */
export function memoOf({ correlationId, traceparent, consoleUrl }: Noted) {
  return {
    correlationId,
    ...(traceparent && { traceparent }),
    ...(consoleUrl !== undefined && { consoleUrl }),
  };
}

/**
 * Options that start another run for an order that its last run did not finish. `replacing`: also
 * terminates a run that exists and keeps failing.
 */
export function checkoutResumeOptions(
  input: Shown & { readonly resume: Resume },
  { replacing }: { readonly replacing: boolean },
): WorkflowStartOptions<(input: CheckoutInput) => Promise<CheckoutResult>> {
  return {
    ...checkoutStartOptions(input),
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: replacing ? 'TERMINATE_EXISTING' : 'FAIL',
  };
}
