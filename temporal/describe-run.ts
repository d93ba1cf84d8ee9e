/** The state of a workflow's latest run, as Temporal describes it. */
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { RunState } from '../workflows/operations/contract.ts';

export interface RunOutcome {
  readonly kind: RunState;
}

/** A lost worker costs a workflow task one attempt. Attempts beyond this mostly come from a bug. */
const FAILING_FROM_ATTEMPT = 4;

export async function inspectRun(client: Client, workflowId: string): Promise<RunOutcome> {
  try {
    return { kind: stateOf(await client.workflow.getHandle(workflowId).describe()) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'missing' };
    throw error;
  }
}

function stateOf({ status, raw }: WorkflowExecutionDescription): RunState {
  switch (status.name) {
    case 'COMPLETED':
      return 'completed';
    case 'FAILED':
      return 'failed';
    case 'CANCELLED':
      return 'cancelled';
    case 'TERMINATED':
      return 'terminated';
    case 'TIMED_OUT':
      return 'timed_out';
    case 'RUNNING':
    case 'PAUSED':
    case 'CONTINUED_AS_NEW':
    case 'UNSPECIFIED':
    case 'UNKNOWN': {
      const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
      return attempt >= FAILING_FROM_ATTEMPT ? 'failing' : 'running';
    }
  }
}
