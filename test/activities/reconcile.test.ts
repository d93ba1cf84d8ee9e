import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { createReconcileActivities } from '../../activities/operations/reconcile.ts';
import { ORDER_RESPONSES } from '../../api/orders/responses.ts';
import { expireOrder } from '../../services/expire-order.ts';
import { listReconciliations } from '../../prisma/operations/reconciliation-runs.ts';
import { reconcileWindow } from '../../workflows/operations/contract.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();

const NOW_MS = Date.now();
const WINDOW = reconcileWindow('recent', NOW_MS);

/** A workflow's first activity, tried as often as it is called. */
function workflowRun(runId: string, scheduledTimestampMs: number) {
  const { db, gateways, checkouts, refunds } = shop;
  const activities = createReconcileActivities({
    db,
    ...gateways,
    checkouts,
    refunds,
    followCase: () => Promise.resolve('done'),
    expireOrder: (order) => expireOrder({ db, ...gateways, responses: ORDER_RESPONSES }, order),
  });
  const execution = { workflowExecution: { workflowId: 'reconcile-recent', runId } };
  const quiet = { logger: new DefaultLogger('ERROR') };
  const inTry = <T>(attempt: number, work: () => Promise<T>): Promise<T> =>
    new MockActivityEnvironment({ ...execution, scheduledTimestampMs, attempt }, quiet).run(work);
  const asked = { scope: 'recent', reconciliationId: null, ...WINDOW } as const;
  return {
    begin: (attempt: number) => inTry(attempt, () => activities.beginReconciliation(asked)),
    end: (id: string) =>
      inTry(1, () => activities.endReconciliation({ id, status: 'completed', checked: {} })),
  };
}

test('a reconciliation run opened by an attempt whose response was lost is found by the next attempt', async () => {
  const run = workflowRun('run-1', NOW_MS);
  const first = await run.begin(1);
  expect(first).toMatchObject(WINDOW);
  expect(await run.begin(2)).toEqual(first);
  expect(await workflowRun('run-2', NOW_MS + 1).begin(1)).toBeNull();
  await run.end(first?.id ?? '');
  expect(await run.begin(3)).toBeNull();

  const next = await workflowRun('run-3', NOW_MS + 2).begin(1);
  expect(next).not.toBeNull();
  const { runs } = await listReconciliations(shop.db, { limit: 10 });
  expect(runs.map(({ id, status }) => [id, status])).toEqual([
    [next?.id, 'running'],
    [first?.id, 'completed'],
  ]);
});
