import { WorkflowNotFoundError } from '@temporalio/common';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { checkoutWorkflowId, isOrderId, type OrderId } from '../../domain/ids.ts';
import { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import { CANARIES, DECLINED_CARD, PERSON } from '../support/client.ts';
import { startDevServer } from '../support/dev-server.ts';
import { eventually } from '../support/eventually.ts';
import {
  effectsOf,
  expectCleanSlate,
  expectShipped,
  notificationsOf,
} from '../support/expectations.ts';
import { audit } from '../../tools/audit/audit.ts';
import { readable } from '../../tools/audit/readable.ts';
import { openSystem, type ApiResponse } from './system.ts';
import { times } from '../support/times.ts';
import { useOpened } from '../support/use-opened.ts';

/** The whole service in real time: what a shopper sees, and its effects at the providers. */
const server = useOpened(() => startDevServer());
const system = useOpened(() => openSystem({ temporalAddress: server.address }));
afterEach(() => system.sandbox.faults.clear());

test('an order ships with the tracking number of the signed callback', async () => {
  // The first look-up is due after half a minute, and would fail: only the callback can ship it.
  system.sandbox.faults.set({ provider: 'warehouse', operation: 'lookup' }, { mode: 'down' });
  const orderId = placed(await system.place());
  const body = await settled(orderId, 'shipped');
  const shipped = z.object({ status: z.string(), shipment: shipmentSchema }).parse(body);
  expect(shipped.status).toBe('shipped');
  expect(shipped.shipment.tracking_number).toMatch(/^SP[0-9A-F]{12}$/);
  await expectShipped(system, orderId);
  const callbacks = await system.db.inboxMessage.findMany({ where: { orderId } });
  expect(callbacks).toMatchObject([{ source: 'warehouse', type: 'shipment.shipped' }]);
  await eventually(() =>
    expect(notificationsOf(system, orderId)).toEqual(['confirmed', 'shipped']),
  );
  const mails = system.sandbox.inbox.mails(PERSON.email);
  expect(mails.at(-1)?.text).toContain(shipped.shipment.tracking_number);
});

test('a declined card returns 402 with the reason, releases the stock and starts no workflow', async () => {
  const held = await heldUnits('mug-white');
  const response = await system.place({ card: DECLINED_CARD });
  expect(response).toMatchObject({
    status: 402,
    body: { code: 'payment_declined', decline_code: 'insufficient_funds' },
  });
  const order = await system.db.order.findFirstOrThrow({ where: { status: 'declined' } });
  expect(await heldUnits('mug-white')).toBe(held);
  const workflow = system.temporal.client.workflow.getHandle(checkoutWorkflowId(idOf(order)));
  await expect(workflow.describe()).rejects.toThrow(WorkflowNotFoundError);
});

test('an order for a sold-out product returns 409 with the available units and creates no order', async () => {
  const orders = await system.db.order.count();
  const response = await system.place({ sku: 'sold-out', quantity: 1 });
  expect(response).toMatchObject({ status: 409, body: { code: 'out_of_stock' } });
  expect(JSON.stringify(response.body)).toContain('"available":0');
  expect(await system.db.order.count()).toBe(orders);
});

test('an order whose capture response is lost ships and is charged once', async () => {
  const place = { provider: 'payments', operation: 'capture' } as const;
  system.sandbox.faults.set(place, { mode: 'answer_lost', times: 3 });
  const orderId = placed(await system.place());
  await settled(orderId, 'shipped');
  expect(system.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
  await expectShipped(system, orderId);
});

test('an order refused at shipping is refunded, released and cancelled with a notification', async () => {
  system.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
  const orderId = placed(await system.place());
  await settled(orderId, 'cancelled');
  await expectCleanSlate(system, orderId);
  expect(effectsOf(system, orderId)).toMatchObject({
    capture: 1,
    refund: 1,
    reserve: 1,
    release: 1,
  });
  await eventually(() => expect(notificationsOf(system, orderId)).toContain('cancelled'));
});

test('orders in flight each ship once after the worker is killed and restarted', async () => {
  const place = { provider: 'payments', operation: 'capture' } as const;
  system.sandbox.faults.set(place, { mode: 'latency', latency_ms: 1_500 });
  const responses = await Promise.all(times(8, () => system.place()));
  const orderIds = responses.map(placed);
  // Some captures are done at the provider, and the kill loses their responses.
  await eventually(() => expect(system.sandbox.faults.list()[0]?.fired).toBeGreaterThan(3));
  await system.worker.kill();
  const statuses = await statusesOf(orderIds);
  expect(statuses).not.toContain('shipped');
  system.sandbox.faults.clear();
  await system.worker.start();
  await untilShipped(orderIds);
});

test('an order is accepted while Temporal is unavailable and ships after it recovers', async () => {
  await server.halt();
  const orderId = placed(await system.place());
  expect(await statusesOf([orderId])).toEqual(['placed']);
  await server.resume();
  await untilShipped([orderId]);
});

test('an order accepted while Temporal is unavailable starts without the killed API and ships', async () => {
  await server.halt();
  const orderId = placed(await system.place());
  await system.api.kill();
  await server.resume();
  await eventually(async () => expect(await statusesOf([orderId])).not.toContain('placed'), {
    timeoutMs: 120_000,
  });
  await system.api.start();
  await untilShipped([orderId]);
});

test('every accepted order has one workflow, and Temporal holds no personal data', async () => {
  const accepted = await system.db.order.findMany({ where: { placedAt: { not: null } } });
  const expected = accepted.map((order) => checkoutWorkflowId(idOf(order))).toSorted();
  expect(expected.length).toBeGreaterThan(10);
  await eventually(async () => expect(await workflowIds(CHECKOUTS)).toEqual(expected));
  for (const workflowId of await workflowIds()) {
    const handle = system.temporal.client.workflow.getHandle(workflowId);
    const text = readable([await handle.fetchHistory(), await handle.describe()]);
    expect(text).toContain(workflowId);
    for (const canary of CANARIES) expect(text).not.toContain(canary);
  }
});

test('the audit after all orders finds no violation and leaves nothing unchecked', async () => {
  const accepted = await system.db.order.findMany({ where: { placedAt: { not: null } } });
  const results = await audit({
    places: {
      databaseUrl: system.databaseUrl,
      temporal: {
        connection: { address: server.address },
        namespace: 'default',
      },
      sandboxUrl: system.sandbox.url,
    },
    acknowledged: accepted.map(({ id }) => id),
    sample: 20,
    graceMs: 60_000,
    timeoutMs: 120_000,
  });
  const failed = results.filter((each) => each.violations > 0 || each.unchecked !== null);
  expect(failed).toEqual([]);
  expect(results.length).toBeGreaterThan(30);
});

const CHECKOUTS = `WorkflowType = '${CHECKOUT_WORKFLOW}'`;
const shipmentSchema = z.object({ tracking_number: z.string() });
const orderSchema = z.object({ id: z.string(), status: z.literal('placed') });

/** The order as its shopper sees it once it is settled; read again when that takes longer than 20 s. */
function settled(orderId: OrderId, status: 'shipped' | 'cancelled'): Promise<unknown> {
  return eventually(
    async () => {
      const { body } = await system.read(orderId, 20);
      expect(body).toMatchObject({ status });
      return body;
    },
    { timeoutMs: 120_000 },
  );
}

/** The id of an accepted order. */
function placed(response: ApiResponse): OrderId {
  expect(response.status, JSON.stringify(response.body)).toBe(201);
  return idOf(orderSchema.parse(response.body));
}

function idOf({ id }: { readonly id: string }): OrderId {
  if (!isOrderId(id)) throw new Error(`no order id: ${id}`);
  return id;
}

async function untilShipped(orderIds: readonly OrderId[]): Promise<void> {
  const check = async () => {
    expect(await statusesOf(orderIds)).toEqual(orderIds.map(() => 'shipped'));
  };
  await eventually(check, { timeoutMs: 120_000 });
  for (const orderId of orderIds) await expectShipped(system, orderId);
}

async function statusesOf(orderIds: readonly OrderId[]): Promise<string[]> {
  const where = { id: { in: [...orderIds] } };
  return (await system.db.order.findMany({ where })).map((order) => order.status);
}

async function heldUnits(sku: string): Promise<number> {
  return (await system.db.stock.findUniqueOrThrow({ where: { sku } })).held;
}

async function workflowIds(query = ''): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of system.temporal.client.workflow.list({ query }))
    ids.push(workflowId);
  return ids.toSorted();
}
