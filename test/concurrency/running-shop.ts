/**
 * A shop at work: the API over a real Temporal server with a real worker, the providers over HTTP,
 * and the warehouse's callbacks coming in over HTTP too.
 */
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { createApp } from '../../api/app.ts';
import { createTemporalCheckouts } from '../../api/temporal-checkouts.ts';
import { createTemporalRefunds } from '../../api/temporal-refunds.ts';
import { isResting } from '../../domain/order.ts';
import { createHttpWarehouse } from '../../gateways/http-warehouse.ts';
import type { CallLimits } from '../../gateways/guard.ts';
import { PAYMENT_LIMITS, WAREHOUSE_LIMITS } from '../../gateways/limits.ts';
import { createStripePayments } from '../../gateways/stripe-payments.ts';
import { freePort } from '../../local/stack/ports.ts';
import { findOrder } from '../../prisma/orders.ts';
import { listen } from '../../server.ts';
import { refundWorkflowId, type OrderId, type RefundId } from '../../domain/ids.ts';
import type { OrderStatus } from '../../domain/order.ts';
import { TASK_QUEUE } from '../../workflows/contract.ts';
import { createShop, type Shop } from '../api/shop.ts';
import { eventually } from '../support/eventually.ts';
import { quietTemporal, startDevServer } from '../support/temporal.ts';

/** A busy machine is slow; a hung shop is slower. */
export const PATIENCE = { timeoutMs: 180_000, everyMs: 200 } as const;

export interface RunningShop extends Shop {
  /** Terminates the refund's workflow, as somebody may in the Web UI. */
  endRefund(id: RefundId): Promise<void>;
}

export async function openRunningShop(): Promise<RunningShop> {
  quietTemporal();
  const server = await startDevServer();
  const { address, namespace } = server;
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const shop = await createShop({
    checkouts: createTemporalCheckouts({ client: () => client, eagerStart: true }),
    refunds: createTemporalRefunds({ client: () => client }),
  });
  const port = await freePort();
  const host = '127.0.0.1';
  const http = await listen({ fetch: createApp(shop.services).fetch, host, port });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    activities: createActivities({
      db: shop.db,
      mailer: shop.gateways.mailer,
      ...patientGateways(shop.sandbox.url),
      warehouseCallbackUrl: `http://${host}:${port}/callbacks/warehouse`,
    }),
  });
  const running = worker.run();
  return {
    ...shop,
    async endRefund(id) {
      await client.workflow.getHandle(refundWorkflowId(id)).terminate();
    },
    async close() {
      worker.shutdown();
      await running;
      await http.close(5_000);
      await shop.close();
      await connection.close();
      await server.stop();
    },
  };
}

/** Breakers that stay closed: an open one makes everything behind it wait for a minute. */
function patientGateways(sandboxUrl: string) {
  return {
    payments: createStripePayments({
      apiKey: 'sk_test_shop',
      apiUrl: sandboxUrl,
      limits: closed(PAYMENT_LIMITS),
    }),
    warehouse: createHttpWarehouse({
      baseUrl: sandboxUrl,
      apiKey: 'shop',
      limits: closed(WAREHOUSE_LIMITS),
    }),
  };
}

function closed<T extends object>(limits: T): T {
  const entries = Object.entries(limits).map(([name, each]: [string, CallLimits]) => [
    name,
    { ...each, breakAfter: 1_000_000 },
  ]);
  return Object.fromEntries(entries);
}

/** Where the order comes to rest. */
export function restOf({ db }: Shop, id: OrderId): Promise<OrderStatus> {
  return eventually(async () => {
    const order = await findOrder(db, id);
    if (!order || !isResting(order.status)) throw new Error(`${id} is ${order?.status}`);
    return order.status;
  }, PATIENCE);
}

/** Until no refund of the order is open any more. */
export async function refundsSettled({ db }: Shop, orderId: OrderId): Promise<void> {
  await eventually(async () => {
    const where = { orderId, status: { in: ['requested', 'needs_attention'] } };
    expect(await db.refund.count({ where })).toBe(0);
  }, PATIENCE);
}

/** Until the order stands there. */
export async function standsAt({ db }: Shop, id: OrderId, status: OrderStatus): Promise<void> {
  await eventually(async () => expect((await findOrder(db, id))?.status).toBe(status), PATIENCE);
}

/** Each effect at the payment provider is an operation of our books, and the other way round. */
export async function expectLedgersAgree({ db, sandbox }: Shop): Promise<void> {
  const ours = await db.paymentOperation.findMany({ where: { state: 'succeeded' } });
  const theirs = sandbox.ledgers.payments.effects();
  const named = (key: string, minor: unknown, currency: unknown): string =>
    [key, minor, currency].join(' ');
  expect(ours.map((each) => named(each.key, each.amountMinor, each.currency)).toSorted()).toEqual(
    theirs.map((each) => named(each.key, each.amount_minor, each.currency)).toSorted(),
  );
}
