import { NativeConnection } from '@temporalio/worker';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../logging.ts';
import { startWorker } from '../worker.ts';
import { eventually } from './support/eventually.ts';
import { quietTemporal, startDevServer } from './support/temporal.ts';

const TASK_QUEUE = 'of-this-test';

test.each(['starts', 'runs'])(
  'a worker stopped while it %s releases its connection',
  async (when) => {
    const { connection, namespace } = await openTemporal();
    const worker = startWorker({ ...options(), connected: async () => connection, namespace });
    if (when === 'runs') await isPolled(connection, namespace);
    else await Promise.resolve();
    await worker.stop();
    // Rejects while a worker holds a reference to it.
    await expect(connection.close()).resolves.toBeUndefined();
  },
);

test('a worker started during an outage of Temporal polls once it is back and logs no warning', async () => {
  const { connection, namespace, server } = await openTemporal();
  const lines: string[] = [];
  const log = createLog('warn', { write: (line) => void lines.push(line) });
  await server.halt();
  const worker = startWorker({ ...options(), connected: async () => connection, namespace, log });
  await server.resume();
  await isPolled(connection, namespace);
  await worker.stop();
  await connection.close();
  expect(lines).toEqual([]);
});

async function openTemporal() {
  quietTemporal();
  const server = await startDevServer();
  onTestFinished(() => server.stop());
  const connection = await NativeConnection.connect({ address: server.address });
  return { server, connection, namespace: server.namespace };
}

function options() {
  return {
    taskQueue: TASK_QUEUE,
    activities: { async nothing() {} },
    maxConcurrentActivities: 1,
    workflowBundle: undefined,
    log: createLog('silent'),
  };
}

async function isPolled(connection: NativeConnection, namespace: string): Promise<void> {
  const taskQueue = { name: TASK_QUEUE };
  await eventually(async () => {
    const asked = { namespace, taskQueue, taskQueueType: 1 } as const;
    const { pollers } = await connection.workflowService.describeTaskQueue(asked);
    expect(pollers).not.toHaveLength(0);
  });
}
