/** Operations on a running shop: sweeps, reconciliations, stuck orders, deployments. */
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/activity';
import type { WorkflowStartOptions } from '@temporalio/client';
import { expect } from 'vitest';
import { checkoutWorkflowId, shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import type { CheckoutStart } from '../../prisma/orders/orders.ts';
import type { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/events/contract.ts';
import type { REFUND_WORKFLOW } from '../../workflows/refund/contract.ts';
import type { reconcile as reconciliation } from '../../workflows/operations/reconcile.ts';
import type { sweep as sweeping } from '../../workflows/operations/sweep.ts';
import {
  RECONCILE_WORKFLOW,
  SWEEP_WORKFLOW,
  type ReconcileResult,
  type SweepResult,
} from '../../workflows/operations/contract.ts';
import { eventually } from '../support/eventually.ts';
import type { AllActivities, RunningShop } from '../support/running-shop.ts';

/** A shop with workers for checkouts and for maintenance. */
export const WITH_MAINTENANCE = { queues: ['checkouts', 'events'] } as const;

const PARCEL = { kind: 'shipped', carrier: 'Sandbox Parcel', trackingNumber: 'SP1' } as const;
/** Each attempt sends a signal. */
const EVERY = { everyMs: 100 };
const BROKEN_WORKFLOWS = fileURLToPath(new URL('./broken-workflows.ts', import.meta.url));

export function sweep({ temporal }: RunningShop): Promise<SweepResult> {
  return temporal.client.workflow.execute<typeof sweeping>(SWEEP_WORKFLOW, {
    taskQueue: EVENTS_TASK_QUEUE,
    workflowId: 'sweep',
  });
}

export function reconcile({ temporal }: RunningShop): Promise<ReconcileResult> {
  return temporal.client.workflow.execute<typeof reconciliation>(RECONCILE_WORKFLOW, {
    taskQueue: EVENTS_TASK_QUEUE,
    workflowId: 'reconcile-test',
    args: [{ scope: 'recent' }],
  });
}

/** Waits for the status. Delivers the warehouse's shipment signal, as a callback would. */
export function untilStatus(
  shop: RunningShop,
  orderId: OrderId,
  status: OrderStatus,
): Promise<void> {
  const requested = { orderId, type: 'order.shipment_requested' };
  return eventually(async () => {
    const order = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
    const awaitsShipment = order.status === 'paid' && status === 'shipped';
    if (awaitsShipment && (await shop.db.event.count({ where: requested })) > 0) {
      const correlationId = shipmentCorrelationId(orderId);
      await shop.services.checkouts.shipmentAnswered(orderId, { correlationId, answer: PARCEL });
    }
    expect(order.status).toBe(status);
  }, EVERY);
}

/** Makes the order look idle for a minute, and unchecked. */
export async function age({ db }: RunningShop, orderId: OrderId): Promise<void> {
  const updatedAt = new Date(Date.now() - 60_000);
  await db.order.update({ where: { id: orderId }, data: { updatedAt, checkedAt: null } });
}

/** Places an order whose workflow Temporal loses before its first step. */
export async function orderWithoutWorkflow(shop: RunningShop): Promise<CheckoutStart> {
  await shop.stopWorker('checkouts');
  const start = await shop.order();
  const { orderId } = start;
  const { client, namespace } = shop.temporal;
  const workflowExecution = { workflowId: checkoutWorkflowId(orderId) };
  await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
  await eventually(async () => {
    expect((await shop.services.checkouts.inspect(orderId)).kind).toBe('missing');
  });
  await shop.startWorker('checkouts');
  return start;
}

/** Retries failed comparisons immediately, not after seconds. */
export function retryImmediately({ reconcileShipments }: AllActivities): Partial<AllActivities> {
  return {
    async reconcileShipments(slice) {
      try {
        return await reconcileShipments(slice);
      } catch (error) {
        throw ApplicationFailure.fromError(error, { nextRetryDelay: '1 ms' });
      }
    },
  };
}

/** Starts a workflow again, whose failed tasks are retried after one second, not ten. */
export async function startWithShortTasks(
  { temporal }: RunningShop,
  workflowType: typeof CHECKOUT_WORKFLOW | typeof REFUND_WORKFLOW | 'report',
  options: WorkflowStartOptions,
): Promise<void> {
  await temporal.client.workflow.start(workflowType, {
    ...options,
    workflowTaskTimeout: '1 second',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'TERMINATE_EXISTING',
  });
}

/** Replaces the workflows of a queue, as a deployment does. */
export async function deploy(
  shop: RunningShop,
  code: 'ours' | 'broken',
  queue: 'checkouts' | 'events' = 'checkouts',
): Promise<void> {
  await shop.stopWorker(queue);
  await shop.startWorker(queue, code === 'broken' ? BROKEN_WORKFLOWS : undefined);
}
