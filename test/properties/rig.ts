/**
 * A shop at work for random tests: the API, a worker, a Temporal server in real time, and a warehouse
 * whose callbacks arrive. The server that skips time loses updates and signals that race with a
 * workflow task, and here everything races.
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../../activities/index.ts';
import { createTemporalCheckouts } from '../../api/temporal-checkouts.ts';
import { createTemporalRefunds } from '../../api/temporal-refunds.ts';
import { freePort } from '../../local/stack/ports.ts';
import { listen } from '../../server.ts';
import { TASK_QUEUE } from '../../workflows/contract.ts';
import { createShop, type Shop } from '../api/shop.ts';
import { quietTemporal, startDevServer } from '../support/temporal.ts';

export interface Rig {
  readonly shop: Shop;
  /** Lets time pass until the workflow of this id has ended. */
  ended(workflowId: string): Promise<void>;
  close(): Promise<void>;
}

const AUTHORIZE_DEADLINE_MS = 500;

interface Server {
  readonly client: Client;
  readonly connection: NativeConnection;
  stop(): Promise<void>;
}

export async function createRig(): Promise<Rig> {
  const temporal = await openTemporal();
  const client = () => temporal.client;
  const shop = await createShop({
    checkouts: createTemporalCheckouts({ client, eagerStart: false }),
    refunds: createTemporalRefunds({ client }),
    authorizeDeadlineMs: AUTHORIZE_DEADLINE_MS,
  });
  const port = await freePort();
  const server = await listen({ host: '127.0.0.1', port, fetch: (call) => passOn(shop, call) });
  const callbackUrl = `http://127.0.0.1:${port}/callbacks/warehouse`;
  const worker = await createWorker(temporal, shop, callbackUrl);
  const running = worker.run();
  return {
    shop,
    ended: (workflowId) => temporal.client.workflow.getHandle(workflowId).result(),
    async close() {
      worker.shutdown();
      await running;
      await server.close(1_000);
      await shop.close();
      await temporal.stop();
    },
  };
}

async function openTemporal(): Promise<Server> {
  quietTemporal();
  const server = await startDevServer();
  const asking = await Connection.connect({ address: server.address });
  const connection = await NativeConnection.connect({ address: server.address });
  return {
    client: new Client({ connection: asking }),
    connection,
    async stop() {
      await Promise.all([asking.close(), connection.close()]);
      await server.stop();
    },
  };
}

function createWorker(
  { connection }: Server,
  { db, gateways }: Shop,
  warehouseCallbackUrl: string,
): Promise<Worker> {
  return Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    activities: createActivities({ db, ...gateways, warehouseCallbackUrl }),
  });
}

async function passOn(shop: Shop, call: Request): Promise<Response> {
  const headers = Object.fromEntries(call.headers);
  const body = await call.text();
  return shop.ask(call.method, new URL(call.url).pathname, { role: null, headers, body });
}
