/** The contracts of the scheduled workflows. */
import type { WorkflowStartOptions } from '@temporalio/client';
import { reconcileWorkflowId } from '../../domain/ids.ts';
import { EVENTS_TASK_QUEUE } from '../events/contract.ts';
import { summary } from '../limits.ts';

export const SWEEP_WORKFLOW = 'sweep';
export const RECONCILE_WORKFLOW = 'reconcile';

/**
 * Detects a killed worker soon, because the next sweep does not start before this one ends. Above the
 * longest item: an order that expires with the deadlines of its look-up and its void used up.
 */
export const SWEEP_HEARTBEAT_TIMEOUT_MS = 20_000;
/** Above the longest item: a payment whose look-up and list of refunds use up their deadlines. */
export const RECONCILE_HEARTBEAT_TIMEOUT_MS = 30_000;

/** Counts of one sweep by kind; `failed` names the parts that failed. */
export interface SweepResult {
  readonly counts: Readonly<Record<string, number>>;
  readonly failed: readonly string[];
}

/** `recent`: orders of the last hours. `full`: every order that a provider may still change. */
export type ReconcileScope = 'recent' | 'full';

export interface ReconcileInput {
  readonly scope: ReconcileScope;
  /** The run that was opened before; without one the workflow opens its own. */
  readonly reconciliationId?: string | undefined;
}

/** `skipped`: another one was running. */
export interface ReconcileResult {
  readonly status: 'completed' | 'failed' | 'skipped';
  readonly found: number;
  readonly resolved: number;
}

/** Younger orders are still in progress. */
const SETTLED_AFTER_MS = 60_000;
/** Two runs see each order, so that a failed run leaves no gap. */
const RECENT_MS = 2 * 3_600_000;
const FULL_MS = 30 * 24 * 3_600_000;

/** The window (ISO 8601) of a run that starts now. */
export function reconcileWindow(
  scope: ReconcileScope,
  nowMs: number,
): { readonly from: string; readonly to: string } {
  const toMs = nowMs - SETTLED_AFTER_MS;
  const fromMs = toMs - (scope === 'full' ? FULL_MS : RECENT_MS);
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

/** Options that start a requested reconciliation. */
export function reconcileStartOptions(
  input: ReconcileInput & { readonly reconciliationId: string },
): WorkflowStartOptions<(input: ReconcileInput) => Promise<ReconcileResult>> {
  return {
    workflowId: reconcileWorkflowId(input.reconciliationId),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    args: [input],
    staticSummary: summary(`Compare our records with the providers': ${input.scope}`),
  };
}

/** The state of a workflow's latest run. `failing`: it runs, but its workflow task keeps failing. */
export type RunState =
  | 'running'
  | 'failing'
  | 'missing'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'terminated'
  | 'timed_out';
