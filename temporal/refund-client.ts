/** The refund workflows over Temporal's client. Every call has a deadline and is safe to repeat. */
import type { Client } from '@temporalio/client';
import { refundWorkflowId } from '../domain/ids.ts';
import type { RefundStart } from '../prisma/payments/refunds.ts';
import {
  REFUND_WORKFLOW,
  refundRetryOptions,
  refundStartOptions,
  retryRefundSignal,
} from '../workflows/refund/contract.ts';
import { createTemporalDeadline, ignoreAlreadyStarted } from './deadline.ts';
import type { RefundClient } from './refund-workflows.ts';
import { inspectRun } from './describe-run.ts';

const START_DEADLINE_MS = 5_000;

/** `client` is null while there is no connection yet. */
export function createRefundClient(options: {
  readonly client: () => Client | null;
}): RefundClient {
  const withDeadline = createTemporalDeadline(options.client);
  const unavailable = { kind: 'unavailable' } as const;
  return {
    async start(refund) {
      const started = await withDeadline(START_DEADLINE_MS, (client) => startOnce(client, refund));
      return started ?? unavailable;
    },
    async retry(refund) {
      const begun = await withDeadline(START_DEADLINE_MS, (client) => retryOnce(client, refund));
      return begun ?? unavailable;
    },
    async inspect(refundId) {
      const workflowId = refundWorkflowId(refundId);
      const found = await withDeadline(START_DEADLINE_MS, (client) =>
        inspectRun(client, workflowId),
      );
      return found ?? unavailable;
    },
  };
}

async function startOnce({ workflow }: Client, refund: RefundStart) {
  const isNew = await ignoreAlreadyStarted(
    workflow.start(REFUND_WORKFLOW, refundStartOptions(refund)),
  );
  return { kind: isNew ? 'started' : 'already_started' } as const;
}

/** Tells the run that waits. A new one goes on where none does, also instead of one that is failing. */
async function retryOnce(client: Client, refund: RefundStart) {
  const { kind } = await inspectRun(client, refundWorkflowId(refund.refundId));
  const options = refundRetryOptions(refund);
  if (kind === 'failing') {
    const workflowIdConflictPolicy = 'TERMINATE_EXISTING';
    await client.workflow.start(REFUND_WORKFLOW, { ...options, workflowIdConflictPolicy });
  } else {
    await client.workflow.signalWithStart(REFUND_WORKFLOW, {
      ...options,
      signal: retryRefundSignal,
    });
  }
  return { kind: 'begun' } as const;
}
