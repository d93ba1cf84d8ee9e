/** A plain saga on Temporal: the SDK's defaults, regular activities. */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Engine, Peer } from './engine.ts';
import { answered, plainCheckout } from './temporal-workflow.ts';

const TASK_QUEUE = 'bench-plain';

export async function createEngine({ steps, temporal }: Peer): Promise<Engine> {
  const { address, namespace } = temporal;
  const client = new Client({ connection: await Connection.connect({ address }), namespace });
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    namespace,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL('temporal-workflow.ts', import.meta.url)),
    activities: steps,
  });
  void worker.run();
  return {
    async start(orderId) {
      const options = { taskQueue: TASK_QUEUE, workflowId: `plain/${orderId}` };
      await client.workflow.start(plainCheckout, { ...options, args: [orderId] });
    },
    async shipmentAnswered(orderId, answer) {
      await client.workflow.getHandle(`plain/${orderId}`).signal(answered, answer);
    },
  };
}
