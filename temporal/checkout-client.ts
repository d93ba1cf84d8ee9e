/**
 * The checkout workflows over Temporal's client. Every call has a deadline; a Temporal that is away
 * is an answer (`unavailable`), never an exception. Anything else that goes wrong is a bug and thrown.
 */
import {
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import {
  ApplicationFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { checkoutWorkflowId } from '../domain/ids.ts';
import type { CheckoutStart } from '../prisma/orders/orders.ts';
import type { Resume } from '../domain/attention.ts';
import {
  cancelUpdate,
  CHECKOUT_WORKFLOW,
  checkoutResumeOptions,
  checkoutStartOptions,
  resolveUpdate,
  shipmentAnsweredSignal,
  type CancelRequest,
} from '../workflows/checkout/contract.ts';
import { createTemporalDeadline } from './deadline.ts';
import type { CancelOutcome, CheckoutClient, ResumeOutcome } from './checkout-workflows.ts';
import { retryDroppedUpdate, isUpdateDropped } from './retry-update.ts';
import { inspectRun } from './describe-run.ts';

export interface CheckoutClientOptions {
  /** Null while there is no connection yet. */
  readonly client: () => Client | null;
  /** True when the client shares its connection with a worker in this process. */
  readonly eagerStart: boolean;
}

const START_DEADLINE_MS = 5_000;
/** The warehouse may have to be asked whether the parcel has left. */
const UPDATE_DEADLINE_MS = 10_000;
const PING_DEADLINE_MS = 500;
const unavailable = { kind: 'unavailable' } as const;

export function createCheckoutClient(options: CheckoutClientOptions): CheckoutClient {
  const withDeadline = createTemporalDeadline(options.client);
  return {
    async start(order) {
      const started = await withDeadline(START_DEADLINE_MS, (client) =>
        startOnce(client, order, options.eagerStart),
      );
      return started ?? unavailable;
    },
    async cancel(order, request, updateId) {
      const answered = await withDeadline(UPDATE_DEADLINE_MS, (client) =>
        cancelOnce(client, { order, request, updateId }),
      );
      return answered ?? unavailable;
    },
    async shipmentAnswered(orderId, answered) {
      const signalled = await withDeadline(START_DEADLINE_MS, async (client) => {
        const handle = client.workflow.getHandle(checkoutWorkflowId(orderId));
        const sent = await orNotFound(handle.signal(shipmentAnsweredSignal, answered));
        return { kind: sent === 'gone' ? 'closed' : 'delivered' } as const;
      });
      return signalled ?? unavailable;
    },
    async resolve(orderId, resolution) {
      const resolved = await withDeadline(UPDATE_DEADLINE_MS, async (client) => {
        const handle = client.workflow.getHandle(checkoutWorkflowId(orderId));
        try {
          const update = () => handle.executeUpdate(resolveUpdate, { args: [resolution] });
          const done = await orNotFound(retryDroppedUpdate(update));
          return { kind: done === 'gone' ? 'gone' : 'resolved' } as const;
        } catch (error) {
          // No worker took it in time. One that still does resolves the letter by itself.
          const late = error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
          if (late || isUpdateDropped(error)) return unavailable;
          if (refusalOf(error) === null) throw error;
          return { kind: 'not_waiting' } as const;
        }
      });
      return resolved ?? unavailable;
    },
    async inspect(orderId) {
      const workflowId = checkoutWorkflowId(orderId);
      const found = await withDeadline(START_DEADLINE_MS, (client) =>
        inspectRun(client, workflowId),
      );
      return found ?? unavailable;
    },
    async resume(order, resume, { replacing }) {
      const began = await withDeadline(START_DEADLINE_MS, (client) =>
        resumeRun(client, order, { resume, replacing }),
      );
      return began ?? unavailable;
    },
    async isReachable() {
      const answered = await withDeadline(PING_DEADLINE_MS, (client) =>
        client.workflowService.getSystemInfo({}),
      );
      return answered !== null;
    },
  };
}

async function startOnce(client: Client, order: CheckoutStart, requestEagerStart: boolean) {
  const start = { ...checkoutStartOptions(order), requestEagerStart };
  try {
    await client.workflow.start(CHECKOUT_WORKFLOW, start);
    return { kind: 'started' } as const;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { kind: 'already_started' } as const;
  }
}

/** Starts a new run that goes on from the books. */
async function resumeRun(
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

interface Cancel {
  readonly order: CheckoutStart;
  readonly request: CancelRequest;
  readonly updateId: string;
}

async function cancelOnce(client: Client, cancel: Cancel): Promise<CancelOutcome> {
  try {
    const accepted = await orNotFound(retryDroppedUpdate(() => cancelRunning(client, cancel)));
    if (accepted === 'gone') return { kind: 'refused', reason: 'the order is finished' };
    return { kind: 'accepted', pendingCompensations: accepted.pendingCompensations };
  } catch (error) {
    const reason = refusalOf(error);
    if (reason !== null) return { kind: 'refused', reason };
    // It may have been accepted: the same update id gets the answer later.
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return { kind: 'undecided' };
    if (isUpdateDropped(error)) return { kind: 'undecided' };
    throw error;
  }
}

/** Starts the workflow if it does not run. A closed one still knows the updates it answered. */
async function cancelRunning(client: Client, { order, request, updateId }: Cancel) {
  const update = { updateId, args: [request] } satisfies {
    updateId: string;
    args: [CancelRequest];
  };
  const startWorkflowOperation = new WithStartWorkflowOperation(CHECKOUT_WORKFLOW, {
    ...checkoutStartOptions(order),
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  try {
    return await client.workflow.executeUpdateWithStart(cancelUpdate, {
      ...update,
      startWorkflowOperation,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const handle = client.workflow.getHandle(checkoutWorkflowId(order.orderId));
    return handle.executeUpdate(cancelUpdate, update);
  }
}

async function orNotFound<T>(call: Promise<T>): Promise<T | 'gone'> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'gone';
    throw error;
  }
}

/** Why the workflow turned the update down; null when it did not. */
function refusalOf(error: unknown): string | null {
  if (!(error instanceof WorkflowUpdateFailedError)) return null;
  const { cause } = error;
  return cause instanceof ApplicationFailure ? (cause.message ?? 'refused') : 'refused';
}
