/** The workflows that run by the clock, as their callers see them. */
import type { WorkflowStartOptions } from '@temporalio/client';
import { reconcileWorkflowId } from '../../domain/ids.ts';
import { EVENTS_TASK_QUEUE } from '../events/contract.ts';

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

/** `skipped`: another one was running. */
export interface ReconcileResult {
  readonly status: 'completed' | 'failed' | 'skipped';
  readonly found: number;
  readonly resolved: number;
}

/** Younger orders are still being worked on. */
const SETTLED_AFTER_MS = 60_000;
/** Two runs see each order, so that one that fails leaves no gap. */
const RECENT_MS = 2 * 3_600_000;
const FULL_MS = 30 * 24 * 3_600_000;

/** The span of time (ISO 8601) that a run started now compares. */
export function reconcileWindow(
  scope: ReconcileScope,
  nowMs: number,
): { readonly from: string; readonly to: string } {
  const toMs = nowMs - SETTLED_AFTER_MS;
  const fromMs = toMs - (scope === 'full' ? FULL_MS : RECENT_MS);
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

/** Options that start a reconciliation somebody asked for. */
export function reconcileStartOptions(
  input: ReconcileInput & { readonly reconciliationId: string },
): WorkflowStartOptions<(input: ReconcileInput) => Promise<ReconcileResult>> {
  return {
    workflowId: reconcileWorkflowId(input.reconciliationId),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    args: [input],
    staticSummary: `Compare our books with the providers': ${input.scope}`,
  };
}

/** What the latest run of a workflow is doing. `failing`: it runs, but its workflow task keeps failing. */
export type RunState =
  | 'running'
  | 'failing'
  | 'missing'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'terminated'
  | 'timed_out';
