import { NativeConnection } from '@temporalio/worker';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../logging.ts';
import { startWorker } from '../worker.ts';
import { eventually } from './support/eventually.ts';
import { quietTemporal, startDevServer } from './support/temporal.ts';

test.each(['is made', 'runs'])(
  'a worker stopped while it %s lets go of its connection',
  async (when) => {
    quietTemporal();
    const { address, namespace, stop } = await startDevServer();
    onTestFinished(stop);
    const connection = await NativeConnection.connect({ address });
    const worker = startWorker({
      connected: async () => connection,
      namespace,
      taskQueue: 'stopped-early',
      activities: { async nothing() {} },
      maxConcurrentActivities: 1,
      workflowBundle: undefined,
      log: createLog('silent'),
    });
    if (when === 'runs') await isPolled(connection, namespace);
    else await Promise.resolve();
    await worker.stop();
    // Rejects while a worker holds a reference to it.
    await expect(connection.close()).resolves.toBeUndefined();
  },
);

async function isPolled(connection: NativeConnection, namespace: string): Promise<void> {
  const taskQueue = { name: 'stopped-early' };
  await eventually(async () => {
    const asked = { namespace, taskQueue, taskQueueType: 1 } as const;
    const { pollers } = await connection.workflowService.describeTaskQueue(asked);
    expect(pollers).not.toHaveLength(0);
  });
}
