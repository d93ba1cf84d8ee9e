/** A shop with its upkeep on a real Temporal server: the queues' own names, providers of the sandbox. */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { createReconcileActivities } from '../../activities/reconcile.ts';
import { createSweepActivities } from '../../activities/sweep.ts';
import { expireOrder } from '../../api/expire-order.ts';
import type { Checkouts } from '../../api/checkouts.ts';
import type { Deliveries } from '../../api/deliveries.ts';
import type { Refunds } from '../../api/refunds.ts';
import { createTemporalCheckouts } from '../../api/temporal-checkouts.ts';
import { createTemporalDeliveries } from '../../api/temporal-deliveries.ts';
import { createTemporalRefunds } from '../../api/temporal-refunds.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { TASK_QUEUE, type CheckoutInput } from '../../workflows/contract.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/delivery-contract.ts';
import {
  RECONCILE_WORKFLOW,
  SWEEP_WORKFLOW,
  type ReconcileScope,
  type SweepResult,
} from '../../workflows/upkeep-contract.ts';
import type { reconcile } from '../../workflows/reconcile.ts';
import { createProviders, type Providers } from '../support/bench.ts';
import { eventually } from '../support/eventually.ts';
import { quietTemporal, startDevServer } from '../support/temporal.ts';

export interface Rig extends Providers {
  readonly client: Client;
  readonly checkouts: Checkouts;
  readonly refunds: Refunds;
  readonly deliveries: Deliveries;
  /** Places an order and starts its workflow, as the API does. */
  start(): Promise<CheckoutInput>;
  /** Waits until the order stands there. Its parcel's news are brought, as a callback would. */
  until(orderId: OrderId, status: OrderStatus): Promise<void>;
  /** The checkouts' worker runs this code from now on; null: there is none. */
  runCheckouts(code: 'ours' | 'broken' | null): Promise<void>;
  sweep(): Promise<SweepResult>;
  reconcile(scope?: ReconcileScope): ReturnType<typeof reconcile>;
  /** Lets the order look as if it had stood still for a while, and unchecked. */
  age(orderId: OrderId): Promise<void>;
}

const PARCEL = { kind: 'shipped', carrier: 'Sandbox Parcel', trackingNumber: 'SP1' } as const;

const CODE = {
  ours: new URL('../../workflows/index.ts', import.meta.url),
  broken: new URL('./broken-workflows.ts', import.meta.url),
};

export async function openRig(): Promise<Rig> {
  quietTemporal();
  const server = await startDevServer();
  const [connection, native] = await Promise.all([
    Connection.connect({ address: server.address }),
    NativeConnection.connect({ address: server.address }),
  ]);
  const client = new Client({ connection });
  const providers = await createProviders();
  const { db, gateways } = providers;
  const checkouts = createTemporalCheckouts({ client: () => client, eagerStart: false });
  const refunds = createTemporalRefunds({ client: () => client });
  const deps = {
    db,
    ...gateways,
    checkouts,
    refunds,
    expireOrder: (order: Parameters<typeof expireOrder>[1]) =>
      expireOrder({ db, ...gateways }, order),
  };
  const warehouseCallbackUrl = 'http://127.0.0.1:9/callbacks/warehouse';
  const activities = {
    ...createActivities({ db, ...gateways, warehouseCallbackUrl }),
    ...createSweepActivities(deps),
    ...createReconcileActivities(deps),
  };
  const open = async (taskQueue: string, code: URL) => {
    const workflowsPath = fileURLToPath(code);
    const worker = await Worker.create({
      connection: native,
      taskQueue,
      workflowsPath,
      activities,
    });
    const running = worker.run();
    return async (): Promise<void> => {
      worker.shutdown();
      await running;
    };
  };
  const stopUpkeep = await open(EVENTS_TASK_QUEUE, CODE.ours);
  let stopCheckouts = await open(TASK_QUEUE, CODE.ours);
  return {
    ...providers,
    client,
    checkouts,
    refunds,
    deliveries: createTemporalDeliveries({ client: () => client }),
    async start() {
      const input = await providers.place();
      const start = { ...input, traceparent: null };
      await eventually(async () => {
        expect((await checkouts.start(start)).kind).not.toBe('unavailable');
      });
      await db.order.update({
        where: { id: input.orderId },
        data: { workflowStartedAt: new Date() },
      });
      return input;
    },
    until: (orderId, status) =>
      eventually(
        async () => {
          const order = await db.order.findUniqueOrThrow({ where: { id: orderId } });
          const asked = { where: { orderId, type: 'order.shipment_requested' } };
          if (
            order.status === 'paid' &&
            status === 'shipped' &&
            (await db.event.count(asked)) > 0
          ) {
            const correlationId = shipmentCorrelationId(orderId);
            await checkouts.shipmentAnswered(orderId, { correlationId, answer: PARCEL });
          }
          expect(order.status).toBe(status);
        },
        { timeoutMs: 60_000, everyMs: 200 },
      ),
    async runCheckouts(code) {
      await stopCheckouts();
      stopCheckouts = code === null ? () => Promise.resolve() : await open(TASK_QUEUE, CODE[code]);
    },
    sweep: () => client.workflow.execute(SWEEP_WORKFLOW, onEvents('sweep')),
    reconcile: (scope = 'recent') =>
      client.workflow.execute<typeof reconcile>(RECONCILE_WORKFLOW, {
        ...onEvents('reconcile-test'),
        args: [{ scope }],
      }),
    async age(orderId) {
      const updatedAt = new Date(Date.now() - 60_000);
      await db.order.update({ where: { id: orderId }, data: { updatedAt, checkedAt: null } });
    },
    async close() {
      await Promise.all([stopUpkeep(), stopCheckouts()]);
      await providers.close();
      await Promise.all([connection.close(), native.close()]);
      await server.stop();
    },
  };
}

function onEvents(workflowId: string) {
  return { taskQueue: EVENTS_TASK_QUEUE, workflowId };
}
