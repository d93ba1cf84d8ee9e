import { Context } from '@temporalio/activity';
import { expect, test } from 'vitest';
import { EVENTS_TASK_QUEUE } from '../../workflows/events/contract.ts';
import { RECONCILE_WORKFLOW } from '../../workflows/operations/contract.ts';
import { eventually } from '../support/eventually.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const shop = useSkippingShop({
  queues: ['events'],
  adapt: () => ({ reconcilePayments: () => Context.current().cancelled }),
});

test('a reconciliation that is cancelled in Temporal has failed, so that the next one can start', async () => {
  const handle = await shop.temporal.client.workflow.start(RECONCILE_WORKFLOW, {
    workflowId: 'reconcile-test',
    taskQueue: EVENTS_TASK_QUEUE,
    args: [{ scope: 'recent' }],
  });
  await eventually(async () => {
    expect(await shop.db.reconciliation.count({ where: { status: 'running' } })).toBe(1);
  });
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow('Workflow execution cancelled');
  expect(await shop.db.reconciliation.findMany({ select: { status: true } })).toEqual([
    { status: 'failed' },
  ]);
});
