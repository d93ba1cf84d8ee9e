import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { startAndMark } from '../../services/checkout-starter.ts';
import { requireAvailable } from '../../temporal/deadline.ts';
import { createCheckoutStarterSubscriber } from '../../activities/events/subscribers/checkout-starter.ts';
import type { CheckoutClient } from '../../temporal/checkout-client.ts';
import { createCheckoutClient } from '../../temporal/checkout-client.ts';
import type { OrderId } from '../../domain/ids.ts';
import { createTcpProxy, type TcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { LOG_START, readLog } from '../../prisma/events/event-log.ts';
import { eventually } from '../support/eventually.ts';
import { expectShipped } from '../support/expectations.ts';
import { openRunningShop, type RunningShop } from '../support/running-shop.ts';
import { NO_PINGS, openTimeSkipping, type Temporal } from '../support/temporal.ts';
import { expectConsistent } from './records.ts';
import { test } from './matrix-case.ts';
import { placed } from './settling.ts';
import { times } from '../support/times.ts';

const NEVER = new AbortController().signal;
/** Connects anew as soon as the proxy lets it. */
const EAGER = {
  ...NO_PINGS,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 100,
} as const;

let temporal: Temporal;
let shop: RunningShop;
/** Between the API and Temporal; the worker has a connection of its own. */
let proxy: TcpProxy;
let connection: Connection;
let checkouts: CheckoutClient;
beforeAll(async () => {
  temporal = await openTimeSkipping();
  const { hostname, port } = new URL(`tcp://${temporal.address}`);
  proxy = await createTcpProxy({ target: { port: Number(port), host: hostname } });
  const address = `127.0.0.1:${proxy.port}`;
  // Without the SDK's own retries each start that cannot get through says so at once.
  connection = await Connection.connect({ address, channelArgs: EAGER, interceptors: [] });
  const client = new Client({ connection });
  checkouts = createCheckoutClient({ client: () => client, eagerStart: false });
  shop = await openRunningShop(temporal, { temporal: { checkouts } });
});
afterEach(() => proxy.clearFaults());
afterAll(async () => {
  await expectConsistent(shop);
  await shop.close();
  await connection.close();
  await proxy.close();
  await temporal.close();
});

/** The subscriber that starts what was lost, as the worker runs it. */
async function startFromLog(): Promise<void> {
  const starter = createCheckoutStarterSubscriber({
    db: shop.db,
    startCheckout: (order) => requireAvailable(startAndMark({ db: shop.db, checkouts }, order)),
  });
  const startAll = async (): Promise<void> => {
    const { events } = await readLog(shop.db, { after: LOG_START, limit: 1_000 });
    expect(events).toHaveLength(await shop.db.event.count());
    const wanted = events.filter(({ type }) => type === 'order.placed');
    await starter.handle(wanted, NEVER);
  };
  await eventually(startAll, { timeoutMs: 20_000, everyMs: 100 });
}

const isMarked = async (id: OrderId): Promise<boolean> => {
  const order = await shop.db.order.findUniqueOrThrow({ where: { id } });
  return order.workflowStartedAt !== null;
};

/** Ships, through one run of one workflow. */
async function expectOneRun(orderId: OrderId): Promise<void> {
  expect(await shop.checkoutOf(orderId).result()).toMatchObject({ status: 'shipped' });
  await expectShipped(shop, orderId);
  const handle = shop.checkoutOf(orderId);
  const { events } = await handle.fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  expect(started?.firstExecutionRunId).toBe((await handle.describe()).runId);
  expect(await isMarked(orderId)).toBe(true);
}

describe('starting the workflow of a placed order', () => {
  test('[S4/F1] an order placed while Temporal is unreachable is started from the event log and ships', async (proof) => {
    proxy.inject({ kind: 'refuse' });
    const orderId = await placed(shop);
    proof.fired(proxy.counts().refuse);
    expect(await isMarked(orderId)).toBe(false);
    proxy.clearFaults();
    await startFromLog();
    await expectOneRun(orderId);
  });

  test('[S4/F2] [S4/F3] a checkout whose start response is lost is started again as the same run', async (proof) => {
    await expectOneRun(await placed(shop));
    const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
    // It stays placed, so that the event log finds it unstarted.
    shop.sandbox.faults.set(RESERVE, { mode: 'down' });
    proxy.inject({ kind: 'swallow', direction: 'to_client' });
    const orderId = await placed(shop);
    proof.fired(proxy.counts().swallow);
    const handle = shop.checkoutOf(orderId);
    const { runId } = await handle.describe();
    expect(await isMarked(orderId)).toBe(false);
    proxy.clearFaults();
    await startFromLog();
    expect((await handle.describe()).runId).toBe(runId);
    shop.sandbox.faults.clear();
    await expectOneRun(orderId);
  });

  test('[S4/F4] a checkout started ten times concurrently, and again after its end, has one run', async (proof) => {
    const orderId = await placed(shop);
    const start = {
      orderId,
      totalMinor: 1_200,
      currency: 'EUR',
      skus: [],
      correlationId: 'x',
      traceparent: null,
      inspectable: false,
    };
    const again = () => Promise.all(times(10, () => checkouts.start(start)));
    const kinds = (await again()).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(['already_started']));
    await expectOneRun(orderId);
    expect(new Set((await again()).map(({ kind }) => kind))).toEqual(new Set(['already_started']));
    await expectOneRun(orderId);
    proof.fired(kinds.length);
  });

  test('[S4/F6] ten orders are accepted while Temporal is unavailable, and all ship when it is back', async (proof) => {
    proxy.inject({ kind: 'refuse' });
    const before = proxy.counts().refuse;
    const orderIds = await Promise.all(times(10, () => placed(shop)));
    expect(await checkouts.unavailableReason()).not.toBeNull();
    proof.fired(proxy.counts().refuse - before);
    proxy.clearFaults();
    await startFromLog();
    for (const orderId of orderIds) await expectOneRun(orderId);
  });
});
