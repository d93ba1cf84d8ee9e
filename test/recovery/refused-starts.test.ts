/** Starts that Temporal refuses for good, as a proxy or a policy in front of it might. */
import { Client, type WorkflowClientInterceptor } from '@temporalio/client';
import { expect, test } from 'vitest';
import { createCheckoutClient } from '../../temporal/checkout-client.ts';
import { checkoutWorkflowId, isOrderId, type OrderId } from '../../domain/ids.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { MAX_LINES } from '../../api/schemas/orders.ts';
import { eventually } from '../support/eventually.ts';
import { expectCleanSlate, expectShipped } from '../support/expectations.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { openRunningShop } from '../support/running-shop.ts';
import { openNamespace } from '../support/temporal.ts';
import { times } from '../support/times.ts';
import { useOpened } from '../support/use-opened.ts';
import { age, sweep, untilStatus, WITH_MAINTENANCE } from './operations.ts';

const INVALID_ARGUMENT = 3;
const UNAVAILABLE = 14;

/** The gRPC code of each start, by the workflow's id; null: it gets through. */
const answers = { code: (_workflowId: string): number | null => null };

function refuse(workflowId: string): void {
  const code = answers.code(workflowId);
  if (code === null) return;
  throw Object.assign(new Error('Failed to start Workflow'), { code, details: 'policy: no' });
}

const refusing: WorkflowClientInterceptor = {
  async startWithDetails(input, next) {
    refuse(input.options.workflowId);
    return next(input);
  },
  async startUpdateWithStart(input, next) {
    refuse(input.workflowStartOptions.workflowId);
    return next(input);
  },
};

const temporal = useOpened(() => openNamespace());
const shop = useOpened(() => {
  const { namespace } = temporal;
  const client = new Client({
    connection: temporal.client.connection,
    namespace,
    interceptors: { workflow: [refusing] },
  });
  const checkouts = createCheckoutClient({ client: () => client, eagerStart: false });
  return openRunningShop(temporal, { ...WITH_MAINTENANCE, temporal: { checkouts } });
});

const cancel = (orderId: OrderId) =>
  shop.request('POST', `/v1/orders/${orderId}/cancel`, { key: crypto.randomUUID() });

test('an order whose start is refused needs attention at once, a cancel says so, and a later one succeeds', async () => {
  answers.code = () => INVALID_ARGUMENT;
  const { orderId } = await shop.order();
  expect(await findAttention(shop.db, orderId)).toMatchObject({
    steps: [
      { step: 'checkout', lastFailure: 'Temporal refuses to start the workflow: policy: no' },
    ],
  });
  const refused = await cancel(orderId);
  expect(refused.status).toBe(503);
  expect((await problemOf(refused)).code).toBe('checkout_unavailable');
  answers.code = () => null;
  expect((await cancel(orderId)).status).toBe(202);
  await untilStatus(shop, orderId, 'cancelled');
  await expectCleanSlate(shop, orderId);
});

test('twelve refused orders are all parked by one sweep, and the order behind them ships', async () => {
  answers.code = () => UNAVAILABLE;
  const orders = [];
  for (let n = 0; n < 13; n += 1) orders.push((await shop.order()).orderId);
  const last = orders[12];
  if (last === undefined) throw new Error('thirteen orders');
  for (const orderId of orders) await age(shop, orderId);
  answers.code = (id) => (id === checkoutWorkflowId(last) ? null : INVALID_ARGUMENT);
  const { counts, failed } = await sweep(shop);
  expect(failed).toEqual([]);
  expect(counts).toMatchObject({ escalated: 12, restarted: 1, failed: 0 });
  answers.code = () => null;
  await untilStatus(shop, last, 'shipped');
  await expectShipped(shop, last);
});

test('orders that Temporal fails on otherwise are counted by the sweep and hide no order behind them', async () => {
  const INTERNAL = 13;
  answers.code = () => UNAVAILABLE;
  const orders = [];
  for (let n = 0; n < 13; n += 1) orders.push((await shop.order()).orderId);
  const last = orders[12];
  if (last === undefined) throw new Error('thirteen orders');
  for (const orderId of orders) await age(shop, orderId);
  answers.code = (id) => (id === checkoutWorkflowId(last) ? null : INTERNAL);
  const { counts, failed } = await sweep(shop);
  expect(failed).toEqual([]);
  expect(counts).toMatchObject({ restarted: 1, failed: 12 });
  answers.code = () => null;
  for (const orderId of orders) await age(shop, orderId);
  await sweep(shop);
  for (const orderId of orders) await untilStatus(shop, orderId, 'shipped');
});

test('an order of the most products with the longest SKUs ships', async () => {
  const skus = times(MAX_LINES, (n) => `${n}-`.padEnd(64, 'x'));
  for (const sku of skus) await shop.stock(sku, 10);
  const lines = skus.map((sku) => ({ sku, quantity: 1 }));
  const placed = await shop.place({ lines });
  expect(placed.status, await placed.clone().text()).toBe(201);
  await shop.services.starter.drain();
  const { id } = await orderOf(placed);
  if (!isOrderId(id)) throw new Error(id);
  await untilStatus(shop, id, 'shipped');
  await expectShipped(shop, id);
});

test('an order in a namespace that lost a search attribute ships', async () => {
  const { connection, namespace } = temporal;
  const searchAttributes = ['Sku', 'NeedsAttention'];
  await connection.operatorService.removeSearchAttributes({ namespace, searchAttributes });
  await eventually(async () => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    expect(Object.keys(customAttributes)).not.toContain('Sku');
  });
  const { orderId } = await shop.order();
  await untilStatus(shop, orderId, 'shipped');
  await expectShipped(shop, orderId);
});
