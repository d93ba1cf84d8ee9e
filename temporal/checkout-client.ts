/**
 * Starts, updates, signals and inspects checkout workflows. Every call has a deadline. An unreachable
 * Temporal is the outcome `unavailable`, because orders are accepted without it.
 */
import {
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import {
  ApplicationFailure,
  type SignalDefinition,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import type { Resolution, Resume } from '../domain/attention.ts';
import { isCancelRefusal, type CancelRefusal } from '../domain/cancel-refusal.ts';
import { checkoutWorkflowId, type OrderId } from '../domain/ids.ts';
import type { CheckoutStart } from '../prisma/orders/orders.ts';
import {
  cancelUpdate,
  CHECKOUT_WORKFLOW,
  checkoutResumeOptions,
  checkoutStartOptions,
  resolveUpdate,
  lookUpShipmentSignal,
  shipmentAnsweredSignal,
  shipmentReleasedSignal,
  type CancelRequest,
  type ShipmentAnswered,
} from '../workflows/checkout/contract.ts';
import { createTemporalDeadline, type Rejected, type Unavailable } from './deadline.ts';
import { inspectRun, type RunOutcome } from './describe-run.ts';
import { retryDroppedUpdate, isUpdateDropped } from './retry-update.ts';
import { namespaceUnavailableReason } from './namespace.ts';
import { linkToConsole, startOnce, startShown } from './start.ts';

/** Why Temporal did not do it. */
type NotDone = Unavailable | Rejected;

export type StartOutcome = { readonly kind: 'started' | 'already_started' } | NotDone;

export type CancelOutcome =
  | { readonly kind: 'accepted'; readonly pendingCompensations: readonly string[] }
  /** Refused for good. */
  | { readonly kind: 'refused'; readonly reason: CancelRefusal }
  /** Not decided yet. Repeat with the same update id to read the result. */
  | { readonly kind: 'undecided' }
  | NotDone;

export type SignalOutcome = { readonly kind: 'delivered' | 'closed' } | NotDone;

export type ResolveOutcome =
  { readonly kind: 'resolved' | 'not_waiting' | 'not_running' } | NotDone;

/** `running`: a run exists already, and it was not changed. */
export type ResumeOutcome = { readonly kind: 'resumed' | 'running' } | NotDone;

export interface CheckoutClient {
  /** Starts the order's workflow. Safe to repeat. */
  start(order: CheckoutStart): Promise<StartOutcome>;
  /** Requests a cancel, starting the workflow if it does not run. `updateId` deduplicates repeats. */
  cancel(order: CheckoutStart, request: CancelRequest, updateId: string): Promise<CancelOutcome>;
  /** Signals the warehouse's answer to the workflow. */
  shipmentAnswered(orderId: OrderId, answered: ShipmentAnswered): Promise<SignalOutcome>;
  /** Sends an operator's decision to the workflow. */
  resolve(orderId: OrderId, resolution: Resolution): Promise<ResolveOutcome>;
  /** Signals that the warehouse reported what is not understood: the workflow looks the shipment up. */
  lookUpShipment(orderId: OrderId): Promise<SignalOutcome>;
  /** Signals that no case of the payment is open any more: a held shipment is requested. */
  shipmentReleased(orderId: OrderId): Promise<SignalOutcome>;
  /** Reads the state of the order's workflow. */
  inspect(orderId: OrderId): Promise<RunOutcome | NotDone>;
  /** Starts a new run that continues the order. `replacing`: terminates a run that keeps failing. */
  resume(
    order: CheckoutStart,
    resume: Resume,
    how: { readonly replacing: boolean },
  ): Promise<ResumeOutcome>;
  /** Why Temporal cannot be used, in words; null when it can. */
  unavailableReason(): Promise<string | null>;
}

export interface CheckoutClientOptions {
  readonly client: () => Client | null;
  /** True when the client shares its connection with a worker in this process. */
  readonly eagerStart: boolean;
  /** The address of the API, for links to the console; without it workflows have none. */
  readonly publicUrl?: string;
}

const CALL_DEADLINE_MS = 5_000;
/** The workflow may have to ask the warehouse whether the parcel has left. */
const UPDATE_DEADLINE_MS = 10_000;
const PING_DEADLINE_MS = 500;

export function createCheckoutClient(options: CheckoutClientOptions): CheckoutClient {
  const withDeadline = createTemporalDeadline(options.client);
  const linked = linkToConsole(options.publicUrl);
  const signal = <Args extends unknown[]>(
    orderId: OrderId,
    definition: SignalDefinition<Args>,
    ...args: Args
  ): Promise<SignalOutcome> =>
    withDeadline(CALL_DEADLINE_MS, async (client) => {
      const handle = client.workflow.getHandle(checkoutWorkflowId(orderId));
      const sent = await orNotFound(handle.signal(definition, ...args));
      return { kind: sent === 'not_found' ? 'closed' : 'delivered' };
    });
  return {
    start: (order) =>
      withDeadline(CALL_DEADLINE_MS, (client) =>
        startOnce(client, CHECKOUT_WORKFLOW, {
          ...checkoutStartOptions(linked(order)),
          requestEagerStart: options.eagerStart,
        }),
      ),
    cancel: (order, request, updateId) =>
      withDeadline(UPDATE_DEADLINE_MS, (client) =>
        cancel(client, { order: linked(order), request, updateId }),
      ),
    shipmentAnswered: (orderId, answered) => signal(orderId, shipmentAnsweredSignal, answered),
    lookUpShipment: (orderId) => signal(orderId, lookUpShipmentSignal),
    shipmentReleased: (orderId) => signal(orderId, shipmentReleasedSignal),
    resolve: (orderId, resolution) =>
      withDeadline(UPDATE_DEADLINE_MS, (client) => resolve(client, orderId, resolution)),
    inspect: (orderId) =>
      withDeadline(CALL_DEADLINE_MS, (client) => inspectRun(client, checkoutWorkflowId(orderId))),
    resume: (order, resume, how) =>
      withDeadline(CALL_DEADLINE_MS, async (client) => {
        const options = checkoutResumeOptions({ ...linked(order), resume }, how);
        const { kind } = await startOnce(client, CHECKOUT_WORKFLOW, options);
        return { kind: kind === 'started' ? 'resumed' : 'running' };
      }),
    async unavailableReason() {
      const checked = await withDeadline(
        PING_DEADLINE_MS,
        async ({ connection, options: { namespace } }) => {
          return {
            kind: 'checked',
            reason: await namespaceUnavailableReason(connection, namespace),
          } as const;
        },
      );
      return checked.kind === 'checked' ? checked.reason : 'no response';
    },
  };
}

async function resolve(
  client: Client,
  orderId: OrderId,
  resolution: Resolution,
): Promise<ResolveOutcome> {
  const handle = client.workflow.getHandle(checkoutWorkflowId(orderId));
  try {
    const update = () => handle.executeUpdate(resolveUpdate, { args: [resolution] });
    const result = await orNotFound(retryDroppedUpdate(update));
    return { kind: result === 'not_found' ? 'not_running' : 'resolved' };
  } catch (error) {
    // A worker that accepts it after the timeout still resolves the dead letter.
    const timedOut = error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
    if (timedOut || isUpdateDropped(error)) return { kind: 'unavailable' };
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    return { kind: 'not_waiting' };
  }
}

interface Cancel {
  readonly order: CheckoutStart;
  readonly request: CancelRequest;
  readonly updateId: string;
}

async function cancel(client: Client, input: Cancel): Promise<CancelOutcome> {
  try {
    const result = await orNotFound(retryDroppedUpdate(() => updateWithStart(client, input)));
    if (result === 'not_found') return { kind: 'refused', reason: 'checkout_ended' };
    return { kind: 'accepted', pendingCompensations: result.pendingCompensations };
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) {
      return { kind: 'refused', reason: refusalOf(error) };
    }
    // The workflow may have accepted it. The same update id returns the result later.
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return { kind: 'undecided' };
    if (isUpdateDropped(error)) return { kind: 'undecided' };
    throw error;
  }
}

/** A closed workflow is not started again, but still returns the results of its completed updates. */
async function updateWithStart(client: Client, { order, request, updateId }: Cancel) {
  const update: { updateId: string; args: [CancelRequest] } = { updateId, args: [request] };
  const options = {
    ...checkoutStartOptions(order),
    workflowIdReusePolicy: 'REJECT_DUPLICATE' as const,
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
  };
  try {
    return await startShown(options, (shown) => {
      const startWorkflowOperation = new WithStartWorkflowOperation(CHECKOUT_WORKFLOW, shown);
      const withStart = { ...update, startWorkflowOperation };
      return client.workflow.executeUpdateWithStart(cancelUpdate, withStart);
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const handle = client.workflow.getHandle(checkoutWorkflowId(order.orderId));
    return handle.executeUpdate(cancelUpdate, update);
  }
}

async function orNotFound<T>(call: Promise<T>): Promise<T | 'not_found'> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'not_found';
    throw error;
  }
}

/**
 * Why the workflow refused; `checkout_ended` when Temporal itself did, because the workflow ended before
 * its handler.
 */
function refusalOf({ cause }: WorkflowUpdateFailedError): CancelRefusal {
  const refusal = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return isCancelRefusal(refusal) ? refusal : 'checkout_ended';
}
