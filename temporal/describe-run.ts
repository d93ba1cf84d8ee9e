/** One run of a workflow as Temporal describes it: whether it carries still what it was begun for. */
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { RunOutcome } from './checkout-workflows.ts';

/** A task is repeated at once after a lost worker; this often only a bug in the code repeats it. */
const FAILING_FROM_ATTEMPT = 4;

/** What the latest run of that id is doing. */
export async function inspectRun(client: Client, workflowId: string): Promise<RunOutcome> {
  try {
    return { kind: stateOf(await client.workflow.getHandle(workflowId).describe()) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'missing' };
    throw error;
  }
}

function stateOf({ status, raw }: WorkflowExecutionDescription): RunOutcome['kind'] {
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
