import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { WorkflowHandle, WorkflowStartOptions } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runChecks } from '../../tools/audit/check.ts';
import { privacyCheck } from '../../tools/audit/privacy.ts';
import { workflowChecks } from '../../tools/audit/workflows.ts';
import { environment } from '../../config.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { CHECKOUT_WORKFLOW, checkoutStartOptions } from '../../workflows/checkout/contract.ts';
import { openSeededDatabase, type SeededDatabase } from '../prisma/seeded-database.ts';
import { eventually } from '../support/eventually.ts';
import { openNamespace, openWorker, type Temporal } from '../support/temporal.ts';

/** Without a worker: every workflow that is started stays as it is. */
let shop: SeededDatabase;
let temporal: Temporal;
beforeEach(async () => {
  [shop, temporal] = await Promise.all([openSeededDatabase(), openNamespace()]);
});
afterEach(() => Promise.all([shop.close(), temporal.close()]));

const NONE = { one_workflow_per_order: [], moving_orders_run: [] };

describe('orders and their workflows', () => {
  test('orders with one workflow each produce no findings', async () => {
    await start(await shop.place());
    await start(await shop.place());
    expect(await findings(2)).toEqual(NONE);
  });

  test('a placed order with a missing or a terminated workflow is reported', async () => {
    await start(await shop.place());
    const missing = await shop.place();
    const terminated = await shop.place();
    const handle = await start(terminated);
    await terminate(handle);
    const expected = [
      { subject: missing.id, detail: 'workflow missing' },
      { subject: terminated.id, detail: 'workflow terminated' },
    ];
    expect(await findings(2)).toEqual({ ...NONE, moving_orders_run: expected });
  });

  test('a workflow of an unknown order and one of a pending order are reported', async () => {
    const pending = await shop.open();
    const lost = { ...pending, id: orderId('ord_00000000000000000000000000') };
    await start(pending);
    await start(lost);
    const expected = [
      { subject: `checkout/${lost.id}`, detail: 'there is no such order' },
      { subject: `checkout/${pending.id}`, detail: 'its order is only pending' },
    ];
    expect(await findings(2)).toEqual({ ...NONE, one_workflow_per_order: expected });
  });

  test('a second run of an order is reported when the first run completed', async () => {
    const order = await shop.place();
    await finish(order);
    await start(order, { workflowIdReusePolicy: 'ALLOW_DUPLICATE' });
    const expected = [
      { subject: `checkout/${order.id}`, detail: expect.stringMatching(/RUNNING|COMPLETED/) },
    ];
    expect(await findings(2)).toEqual({ ...NONE, one_workflow_per_order: expected });
  });

  test('a second run of an order is not reported when the first run was terminated', async () => {
    const order = await shop.place();
    await terminate(await start(order));
    await start(order, { workflowIdReusePolicy: 'ALLOW_DUPLICATE' });
    expect(await findings(2)).toEqual(NONE);
  });
});

describe('personal data in Temporal', () => {
  test('the input of a checkout holds no personal data', async () => {
    await start(await shop.place());
    expect(await personsFound(1)).toEqual([]);
  });

  test('an e-mail in a payload and a street in a memo are reported without their values', async () => {
    const order = await shop.place();
    await start(order, {
      args: [{ orderId: order.id, to: 'ADA@example.com' }],
      memo: { where: 'Street 1' },
    });
    const subject = `checkout/${order.id}`;
    expect(await personsFound(1)).toEqual([
      { subject, detail: `has the e-mail of ${order.id}` },
      { subject, detail: `has the street of ${order.id}` },
    ]);
  });

  test('a name that is part of an ordered SKU is reported only where it stands alone', async () => {
    const order = await shop.place([{ sku: 'tee-black-m', quantity: 1 }]);
    await shop.db.order.update({ where: { id: order.id }, data: { customerName: 'Black' } });
    await start(order);
    expect(await personsFound(1)).toEqual([]);

    const workflowId = `delivery/analytics/${randomUUID()}`;
    const args = [{ note: `tee-black-m of ${order.id}\nBlack asked for it` }];
    await temporal.client.workflow.start('delivery', { workflowId, taskQueue: 'nobody', args });
    const detail = `has the name of ${order.id}`;
    expect(await personsFound(2)).toEqual([{ subject: workflowId, detail }]);
  });

  test('personal data in a workflow that only mentions the order is reported', async () => {
    const { id } = await shop.place();
    const workflowId = `delivery/analytics/${randomUUID()}`;
    const args = [{ error: `card pm_card_visa of ${id} refused` }];
    await temporal.client.workflow.start('delivery', { workflowId, taskQueue: 'nobody', args });
    const detail = `has the payment method of ${id}`;
    expect(await personsFound(1)).toEqual([{ subject: workflowId, detail }]);
  });
});

describe('npm run audit', () => {
  test('npm run audit exits with 0 when all holds, 1 on a violation and 2 when Temporal is unavailable', async () => {
    const order = await shop.place();
    await start(order);
    await eventually(async () => expect(await countRuns()).toBe(1));
    const reachable = {
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
    };
    const unavailable = { TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const [consistent, without] = await Promise.all([runAudit(reachable), runAudit(unavailable)]);
    expect(consistent).toMatchObject({ code: 0, violated: [], unchecked: [] });
    expect(consistent.names).toEqual(expect.arrayContaining(['stock_bounds', 'moving_orders_run']));
    expect(without).toMatchObject({ code: 2, violated: [] });
    expect(without.unchecked).toEqual([
      'one_workflow_per_order',
      'moving_orders_run',
      'no_person_in_temporal',
    ]);

    await shop.db
      .$executeRaw`UPDATE orders SET total_minor = total_minor + 1 WHERE id = ${order.id}`;
    const broken = await runAudit(reachable);
    expect(broken).toMatchObject({ code: 1, unchecked: [] });
    expect(broken.violated.toSorted()).toEqual(['money_bounded', 'order_totals']);
  }, 300_000);
});

const report = z.object({
  invariants: z.array(
    z.object({ name: z.string(), violations: z.number(), unchecked: z.string().nullable() }),
  ),
});

async function runAudit(env: Readonly<Record<string, string>>) {
  const { TEMPORAL_ADDRESS: _address, TEMPORAL_NAMESPACE: _namespace, ...rest } = environment();
  const args = ['--import', 'tsx', 'tools/audit/main.ts', '--json', '--grace', '600'];
  const options = { env: { ...rest, DATABASE_URL: shop.url, ...env }, timeout: 120_000 };
  const { code, stdout } = await promisify(execFile)(process.execPath, args, options).then(
    (done) => ({ code: 0, stdout: done.stdout }),
    (error: unknown) => z.object({ code: z.number(), stdout: z.string() }).parse(error),
  );
  const { invariants } = report.parse(JSON.parse(stdout));
  const names = invariants.map(({ name }) => name);
  const violated = invariants.filter((each) => each.violations > 0).map(({ name }) => name);
  const unchecked = invariants.filter((each) => each.unchecked !== null).map(({ name }) => name);
  return { code, names, violated, unchecked };
}

async function start(order: Order, changes: Partial<WorkflowStartOptions> = {}) {
  const input = {
    orderId: order.id,
    totalMinor: order.totalMinor,
    currency: order.currency,
    skus: order.lines.map(({ sku }) => sku),
    correlationId: order.correlationId,
  };
  const asked = { ...checkoutStartOptions(input), taskQueue: 'nobody', ...changes };
  return temporal.client.workflow.start(CHECKOUT_WORKFLOW, asked);
}

/** Terminates the run and waits until the delayed list shows it. */
async function terminate(handle: WorkflowHandle): Promise<void> {
  await handle.terminate();
  await eventually(async () => expect(await countRuns("ExecutionStatus = 'Terminated'")).toBe(1));
}

const settled = async (): Promise<void> => undefined;
/** The activities of an order that the warehouse refuses. */
const REFUSING = {
  admitResume: settled,
  reserveStock: async () => ({ kind: 'refused', reason: 'not_available' }),
  releaseStock: settled,
  voidOrRefundPayment: settled,
  recordCancelling: async () => ({
    shipped: null,
    shipmentRequested: false,
    reason: 'warehouse_refused',
  }),
  recordCancelled: settled,
  notifyCustomer: settled,
};

/** Runs the order's workflow to its end, and until it is listed as ended. */
async function finish(order: Order): Promise<void> {
  const taskQueue = 'refuses';
  const worker = await openWorker(temporal, { taskQueue, activities: REFUSING });
  await (await start(order, { taskQueue })).result();
  await worker.stop();
  await eventually(async () => expect(await countRuns("ExecutionStatus = 'Completed'")).toBe(1));
}

/** The violations by check, once the server's delayed list has so many runs. */
async function findings(runs: number) {
  await eventually(async () => expect(await countRuns()).toBe(runs));
  const checks = workflowChecks({ db: shop.db, client: () => temporal.client, graceMs: 0 });
  const results = await runChecks(checks);
  for (const { unchecked } of results) expect(unchecked).toBeNull();
  return Object.fromEntries(
    results.map(({ name, examples }) => [name, examples.toSorted(bySubject)]),
  );
}

async function personsFound(runs: number) {
  await eventually(async () => expect(await countRuns()).toBe(runs));
  const [result] = await runChecks([privacyCheck({ db: shop.db, client: () => temporal.client })]);
  expect(result?.unchecked).toBeNull();
  return result?.examples;
}

async function countRuns(query = ''): Promise<number> {
  let count = 0;
  for await (const _run of temporal.client.workflow.list({ query })) count += 1;
  return count;
}

function bySubject(a: { subject: string }, b: { subject: string }): number {
  return a.subject < b.subject ? -1 : 1;
}

function orderId(id: string): OrderId {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- an id that no order has
  return id as OrderId;
}
