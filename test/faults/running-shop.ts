/**
 * A shop with a real Temporal behind it: the API's app, a worker, and a line between API and
 * Temporal that can be closed or made silent. Time is skipped by whoever waits for a workflow.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { expect } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { Checkouts } from '../../api/checkouts.ts';
import { createTemporalCheckouts } from '../../api/temporal-checkouts.ts';
import { checkoutWorkflowId, isOrderId, type OrderId } from '../../domain/ids.ts';
import { createTcpProxy, type TcpProxy } from '../../local/chaos/tcp-proxy.ts';
import { cancelUpdate, TASK_QUEUE } from '../../workflows/contract.ts';
import { orderOf } from '../api/bodies.ts';
import { createShop, type Shop } from '../api/shop.ts';
import { createGateways } from '../support/bench.ts';
import { eventually } from '../support/eventually.ts';
import { createTimeSkippingEnv, NO_PINGS } from '../support/temporal.ts';
import { update } from '../support/updates.ts';

export interface RunningShop {
  readonly shop: Shop;
  readonly env: TestWorkflowEnvironment;
  /** As the API reaches Temporal: through the proxy. */
  readonly checkouts: Checkouts;
  readonly proxy: TcpProxy;
  /**
   * Places one mug over the API, again under the same key until it is settled. Its workflow is
   * started, or is known not to be.
   */
  placed(key?: string): Promise<OrderId>;
  /** Cancels the order at its workflow. Throws when that refuses. */
  cancel(orderId: OrderId): Promise<void>;
  /** Lets time pass until the order's workflow has ended. */
  ended(orderId: OrderId): Promise<unknown>;
  close(): Promise<void>;
}

const SETTLED_WITHIN = { timeoutMs: 120_000, everyMs: 250 };

export async function createRunningShop(): Promise<RunningShop> {
  const env = await createTimeSkippingEnv();
  const address = new URL(`tcp://${env.address}`);
  const proxy = await createTcpProxy({
    target: { port: Number(address.port), host: address.hostname },
  });
  const connection = await Connection.connect({
    address: `127.0.0.1:${proxy.port}`,
    channelArgs: NO_PINGS,
  });
  const client = new Client({ connection });
  const checkouts = createTemporalCheckouts({ client: () => client, eagerStart: false });
  const shop = await createShop({ checkouts });
  const gateways = createGateways(shop.sandbox);
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    activities: createActivities({
      db: shop.db,
      ...gateways,
      warehouseCallbackUrl: 'http://127.0.0.1:9/callbacks/warehouse',
    }),
  });
  const running = worker.run();
  return {
    shop,
    env,
    checkouts,
    proxy,
    async placed(key = randomUUID()) {
      const answer = await eventually(async () => {
        const tried = await shop.place({}, key);
        expect(tried.status).toBe(201);
        return tried;
      }, SETTLED_WITHIN);
      const { id } = await orderOf(answer);
      await shop.services.starter.drain();
      if (!isOrderId(id)) throw new Error(id);
      return id;
    },
    async cancel(orderId) {
      const handle = env.client.workflow.getHandle(checkoutWorkflowId(orderId));
      const arg = { reason: 'requested_by_customer' } as const;
      await update(handle, { definition: cancelUpdate, arg });
    },
    ended: (orderId) => env.client.workflow.getHandle(checkoutWorkflowId(orderId)).result(),
    async close() {
      proxy.heal();
      worker.shutdown();
      await running;
      gateways.mailer.close();
      await shop.close();
      await connection.close();
      await proxy.close();
      await env.teardown();
    },
  };
}
