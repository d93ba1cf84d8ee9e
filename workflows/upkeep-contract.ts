/** The workflows that run by the clock, as their callers see them. */
import type { WorkflowStartOptions } from '@temporalio/client';
import { reconcileWorkflowId } from '../domain/ids.ts';
import { EVENTS_TASK_QUEUE } from './delivery-contract.ts';

export const SWEEP_WORKFLOW = 'sweep';
export const RECONCILE_WORKFLOW = 'reconcile';

/** What one sweep did, by kind; `failed` names the parts that came to nothing this time. */
export interface SweepResult {
  readonly counts: Readonly<Record<string, number>>;
  readonly failed: readonly string[];
}

/** `recent`: orders of the last hours. `full`: all that a provider is likely to still change. */
export type ReconcileScope = 'recent' | 'full';

export interface ReconcileInput {
  readonly scope: ReconcileScope;
  /** The run somebody opened already; without one the workflow opens its own. */
  readonly reconciliationId?: string;
}

/** Options that start a reconciliation somebody asked for. */
export function reconcileStartOptions(
  input: ReconcileInput & { readonly reconciliationId: string },
): WorkflowStartOptions<(input: ReconcileInput) => Promise<unknown>> {
  return {
    workflowId: reconcileWorkflowId(input.reconciliationId),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    args: [input],
    staticSummary: `Compare our books with the providers': ${input.scope}`,
  };
}
