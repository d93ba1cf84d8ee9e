/** Starts, retries and inspects refund workflows. Every call has a deadline and is safe to repeat. */
import type { Client } from '@temporalio/client';
import { refundWorkflowId, type RefundId } from '../domain/ids.ts';
import type { RefundStart } from '../prisma/payments/refunds.ts';
import {
  REFUND_WORKFLOW,
  refundRetryOptions,
  refundChangedSignal,
  refundStartOptions,
  retryRefundSignal,
} from '../workflows/refund/contract.ts';
import type { StartOutcome } from './checkout-client.ts';
import {
  createTemporalDeadline,
  ignoreAlreadyStarted,
  type Rejected,
  type Unavailable,
} from './deadline.ts';
import { inspectRun, type RunOutcome } from './describe-run.ts';
import { linkToConsole, startOnce, startShown } from './start.ts';

export interface RefundClient {
  /** Starts the refund's workflow. */
  start(refund: RefundStart): Promise<StartOutcome>;
  /**
   * Hints to the refund's workflow that the provider has something new, and starts it if it never ran.
   * Nothing when it has finished.
   */
  wake(refund: RefundStart): Promise<StartOutcome>;
  /** Retries an open refund for the operator `actor`. Starts a new run if no run can continue it. */
  retry(
    refund: RefundStart,
    actor: string,
  ): Promise<{ readonly kind: 'started' } | Unavailable | Rejected>;
  /** Reads the state of the refund's workflow. */
  inspect(refundId: RefundId): Promise<RunOutcome | Unavailable | Rejected>;
}

const CALL_DEADLINE_MS = 5_000;

export function createRefundClient(options: {
  readonly client: () => Client | null;
  /** As of the checkouts. */
  readonly publicUrl?: string;
}): RefundClient {
  const withDeadline = createTemporalDeadline(options.client);
  const linked = linkToConsole(options.publicUrl);
  return {
    start: (refund) =>
      withDeadline(CALL_DEADLINE_MS, (client) =>
        startOnce(client, REFUND_WORKFLOW, refundStartOptions(linked(refund))),
      ),
    wake: (refund) => withDeadline(CALL_DEADLINE_MS, (client) => wakeOnce(client, linked(refund))),
    retry: (refund, actor) =>
      withDeadline(CALL_DEADLINE_MS, (client) => retryOnce(client, linked(refund), actor)),
    inspect: (refundId) =>
      withDeadline(CALL_DEADLINE_MS, (client) => inspectRun(client, refundWorkflowId(refundId))),
  };
}

async function wakeOnce({ workflow }: Client, refund: RefundStart) {
  const signalled = startShown(refundStartOptions(refund), (shown) =>
    workflow.signalWithStart(REFUND_WORKFLOW, { ...shown, signal: refundChangedSignal }),
  );
  return { kind: (await ignoreAlreadyStarted(signalled)) ? 'started' : 'already_started' } as const;
}

/** Signals the waiting run, or starts one. A run whose workflow task keeps failing is replaced. */
async function retryOnce(client: Client, refund: RefundStart, actor: string) {
  const { kind } = await inspectRun(client, refundWorkflowId(refund.refundId));
  const { workflow } = client;
  await startShown(refundRetryOptions(refund), async (shown): Promise<unknown> => {
    if (kind === 'failing') {
      const workflowIdConflictPolicy = 'TERMINATE_EXISTING';
      return workflow.start(REFUND_WORKFLOW, { ...shown, workflowIdConflictPolicy });
    }
    const signal = { signal: retryRefundSignal, signalArgs: [{ actor }] };
    return workflow.signalWithStart(REFUND_WORKFLOW, { ...shown, ...signal });
  });
  return { kind: 'started' } as const;
}
