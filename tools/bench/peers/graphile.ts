/**
 * graphile-worker (https://worker.graphile.org): a chain of jobs in the same PostgreSQL. Each job adds
 * the next; the warehouse's callback adds the job after the wait.
 */
import { makeWorkerUtils, run, type Task } from 'graphile-worker';
import type { OrderId } from '../../../domain/ids.ts';
import { shippedParcel, type Engine, type Peer, type Steps } from './engine.ts';

/** One per customer of the bench. */
const CONCURRENCY = 32;

interface Job {
  readonly orderId: OrderId;
  readonly carrier: string;
  readonly trackingNumber: string;
}

export async function createEngine({ steps, databaseUrl }: Peer): Promise<Engine> {
  const utils = await makeWorkerUtils({ connectionString: databaseUrl });
  await utils.migrate();
  await run({
    connectionString: databaseUrl,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    taskList: createTasks(steps),
  });
  return {
    async start(orderId) {
      await utils.addJob('reserve', { orderId });
    },
    async shipmentAnswered(orderId, answered) {
      await utils.addJob('record', { orderId, ...shippedParcel(answered) });
    },
  };
}

function createTasks({ notifyCustomer, ...steps }: Steps): Record<string, Task> {
  return {
    reserve: task(steps.reserveStock, 'capture'),
    capture: task(steps.capturePayment, 'ship'),
    ship: task(steps.requestShipment, 'notifyConfirmed'),
    notifyConfirmed: task(({ orderId }) => notifyCustomer({ orderId, notification: 'confirmed' })),
    record: task(steps.recordShipped, 'notifyShipped'),
    notifyShipped: task(({ orderId }) => notifyCustomer({ orderId, notification: 'shipped' })),
  };
}

function task(work: (job: Job) => Promise<unknown>, next?: string): Task {
  return async (payload, { addJob }) => {
    await work(payload as Job);
    if (next !== undefined) await addJob(next, payload);
  };
}
