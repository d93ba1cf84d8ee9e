/**
 * Addresses of the pages that operators open: an order in the console, a workflow or a filtered list in
 * Temporal's Web UI.
 */
import { checkoutWorkflowId, type OrderId } from './ids.ts';

/** Where Temporal's Web UI is, and the namespace of our workflows. */
export interface TemporalUi {
  readonly url: string;
  readonly namespace: string;
}

/** The order's page in the console. */
export function consolePage(publicUrl: string, orderId: OrderId): string {
  return `${withoutSlash(publicUrl)}/console/orders/${orderId}`;
}

/** The order's workflow in the Web UI. */
export function checkoutPage(ui: TemporalUi, orderId: OrderId): string {
  return `${workflowsPage(ui)}/${encodeURIComponent(checkoutWorkflowId(orderId))}`;
}

/** The list of workflows that a query finds. */
export function workflowListPage(ui: TemporalUi, query: string): string {
  return `${workflowsPage(ui)}?query=${encodeURIComponent(query)}`;
}

function workflowsPage({ url, namespace }: TemporalUi): string {
  return `${withoutSlash(url)}/namespaces/${encodeURIComponent(namespace)}/workflows`;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

export interface WorkflowFilter {
  readonly finds: string;
  /** A query of the Web UI's list, and of `temporal workflow list --query`. */
  readonly query: string;
}

/** Sweeps, pumps and deliveries are workflows, too: these find what one looks for among them. */
export const WORKFLOW_FILTERS: readonly WorkflowFilter[] = [
  { finds: 'checkouts', query: 'WorkflowType="checkout"' },
  {
    finds: 'checkouts under way',
    query: 'WorkflowType="checkout" AND ExecutionStatus="Running"',
  },
  {
    finds: 'orders and refunds that wait for a person',
    query: 'NeedsAttention=true AND ExecutionStatus="Running"',
  },
  {
    finds: 'orders that wait for the warehouse',
    query: 'OrderStatus="paid" AND ExecutionStatus="Running"',
  },
  {
    finds: 'refunds under way: retried, or waiting for a person',
    query: 'WorkflowType="refund" AND ExecutionStatus="Running"',
  },
  {
    finds: 'checkouts and refunds that failed or were terminated',
    query:
      'WorkflowType IN ("checkout", "refund") AND ExecutionStatus IN ("Failed", "Terminated", "TimedOut")',
  },
  {
    finds: 'deliveries that are retried',
    query: 'WorkflowType="delivery" AND ExecutionStatus="Running"',
  },
];
