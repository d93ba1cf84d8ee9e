import type { NativeConnection } from '@temporalio/worker';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createLog } from '../../telemetry/logging.ts';
import { startWorker } from '../../worker/worker.ts';
import { eventually } from '../support/eventually.ts';
import { openNamespace } from '../support/temporal.ts';

const TASK_QUEUE = 'of-this-test';

test.each(['starts', 'runs'])(
  'a worker stopped while it %s releases its connection',
  async (when) => {
    const { connection, namespace, client } = await openNamespace();
    onTestFinished(() => client.connection.close());
    const worker = startWorker({ ...options(), connected: async () => connection, namespace });
    if (when === 'runs') await isPolled(connection, namespace);
    else await Promise.resolve();
    await worker.stop();
    // Rejects while a worker holds a reference to it.
    await expect(connection.close()).resolves.toBeUndefined();
  },
);

test('a worker runs although the one before it cannot be created, and can be stopped while it waits', async () => {
  const { connection, namespace, client } = await openNamespace();
  onTestFinished(() => client.connection.close());
  const common = { ...options(), connected: async () => connection, namespace };
  const broken = startWorker({ ...common, taskQueue: '' });
  const waiting = startWorker({ ...common, after: new Promise<void>(() => undefined) });
  const second = startWorker({ ...common, after: broken.attempted });
  await waiting.stop();
  await isPolled(connection, namespace);
  await Promise.all([broken.stop(), second.stop()]);
  await expect(connection.close()).resolves.toBeUndefined();
});

function options() {
  return {
    taskQueue: TASK_QUEUE,
    activities: { async nothing() {} },
    maxConcurrentActivities: 1,
    workflowBundle: inject('workflowBundle'),
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
