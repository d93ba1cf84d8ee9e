/** One run of a checkout workflow as Temporal describes it: whether it carries its order still. */
import { WorkflowNotFoundError } from '@temporalio/common';
import {
  WorkflowExecutionAlreadyStartedError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { checkoutWorkflowId, type OrderId } from '../domain/ids.ts';
import type { CheckoutStart } from '../prisma/orders.ts';
import { CHECKOUT_WORKFLOW, checkoutResumeOptions, type Resume } from '../workflows/contract.ts';
import type { ResumeOutcome, RunOutcome } from './checkouts.ts';

/** A task is repeated at once after a lost worker; this often only a bug in the code repeats it. */
const FAILING_FROM_ATTEMPT = 4;

/** What the order's workflow is doing. */
export async function inspectRun(client: Client, orderId: OrderId): Promise<RunOutcome> {
  const handle = client.workflow.getHandle(checkoutWorkflowId(orderId));
  try {
    return { kind: stateOf(await handle.describe()) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'missing' };
    throw error;
  }
}

/** Starts a new run that goes on from the books. */
export async function resumeRun(
  client: Client,
  order: CheckoutStart,
  how: { readonly resume: Resume; readonly replacing: boolean },
): Promise<ResumeOutcome> {
  const options = checkoutResumeOptions({ ...order, resume: how.resume }, how);
  try {
    await client.workflow.start(CHECKOUT_WORKFLOW, options);
    return { kind: 'resumed' };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { kind: 'running' };
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
