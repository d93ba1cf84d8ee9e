import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { storedKey } from '../../../api/http/idempotency-key.ts';
import type { OrderId } from '../../../domain/ids.ts';
import { CHANGE_REQUEST } from '../../../tools/chaos/network-fault.ts';
import { createTcpProxy, type TcpProxy } from '../../../tools/chaos/tcp-proxy.ts';
import { createCleanup, type OnClose } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { expectShipped } from '../../support/expectations.ts';
import { test } from '../matrix-case.ts';
import { CHALLENGED } from './challenged.ts';
import { newRequest, parseOrderId, type OrderRequest } from './client.ts';
import { openTestStack, type TestStack } from './test-stack.ts';
import { placeUntilSettled, untilStatus } from './outcomes.ts';
import { expectDelivered, expectEventuallyConsistent } from './consistent.ts';
import { times } from '../../support/times.ts';

/** A shop whose connections to its database and its providers go through faulty proxies. */
const { onClose, close } = createCleanup();
let stack: TestStack;
let toDatabase: TcpProxy;
let toProviders: TcpProxy;
beforeAll(async () => {
  const adapt = async (env: TestStack['env']): Promise<TestStack['env']> => {
    const database = await through(env['DATABASE_URL'], onClose);
    const providers = await through(env['STRIPE_API_URL'], onClose);
    [toDatabase, toProviders] = [database.proxy, providers.proxy];
    const provider = { STRIPE_API_URL: providers.url, WAREHOUSE_URL: providers.url };
    return { ...env, ...provider, DATABASE_URL: database.url };
  };
  stack = await openTestStack({ onClose, adapt });
});
afterEach(() => {
  toDatabase.clearFaults();
  toProviders.clearFaults();
});
afterAll(close);

/** Each round loses more responses to changes of an order: the request's, then the workflow's. */
const ROUNDS = 3;
const SHOPPERS = 3;
const RECOVERED_WITHIN = { timeoutMs: 60_000, everyMs: 100 };

test('[infra/commit-ack-lost] an order whose connection is lost during each change of it is created once, with each effect once', async (proof) => {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = toDatabase.counts().cut_on;
    toDatabase.inject({
      kind: 'cut_on',
      direction: 'to_server',
      pattern: CHANGE_REQUEST,
      deliver: true,
      times: SHOPPERS * round,
    });
    const requests = times(SHOPPERS, () => newRequest());
    await Promise.all([
      ...requests.map((request) => expectShippedOnce(request)),
      CHALLENGED.challengedByClient(stack),
    ]);
    proof.fired(toDatabase.counts().cut_on - before);
    toDatabase.clearFaults();
  }
  expect(await stack.db.order.count()).toBe(ROUNDS * (SHOPPERS + 1));
  await expectEventuallyConsistent(stack);
});

test('[infra/partial-network] an order over a slow database connection ships once', async (proof) => {
  toDatabase.inject({ kind: 'slow', latencyMs: 30, sliceBytes: 100 });
  const orderId = await placeUntilSettled(stack, newRequest());
  await untilStatus(stack, orderId, 'shipped');
  await expectShipped(stack, orderId);
  proof.fired(toDatabase.counts().slow);
});

test('[infra/partial-network] orders get 503 in bounded time while database responses are lost, and ship afterwards', async (proof) => {
  const earlier = await placeUntilSettled(stack, newRequest());
  toDatabase.inject({ kind: 'swallow', direction: 'to_client' });
  const request = newRequest();
  // A request that hangs would have no response when the client times out.
  const responses = await Promise.all(times(15, () => stack.client.tryOnce(request)));
  for (const response of responses) expect(response?.status, response?.text).toBe(503);
  proof.fired(toDatabase.counts().swallow);
  toDatabase.clearFaults();
  await expectAllShip([earlier, parseOrderId(await stack.client.place(request))]);
});

test('[infra/partial-network] an order gets 503 in bounded time when provider connections are half-open, and ships afterwards', async (proof) => {
  toProviders.inject({ kind: 'swallow' });
  const request = newRequest();
  const response = await stack.client.tryOnce(request);
  expect(response?.status, response?.text).toBe(503);
  proof.fired(toProviders.counts().swallow);
  toProviders.clearFaults();
  await expectAllShip([parseOrderId(await stack.client.place(request))]);
  await expectEventuallyConsistent(stack);
});

async function expectShippedOnce(request: OrderRequest): Promise<void> {
  const orderId = await placeUntilSettled(stack, request);
  await untilStatus(stack, orderId, 'shipped');
  await expectShipped(stack, orderId);
  expect(await stack.db.idempotencyKey.count({ where: { key: storedKey(request.key) } })).toBe(1);
}

async function expectAllShip(orderIds: readonly OrderId[]): Promise<void> {
  for (const orderId of orderIds) {
    await untilStatus(stack, orderId, 'shipped');
    await eventually(() => expectShipped(stack, orderId), RECOVERED_WITHIN);
    await expectDelivered(stack, orderId);
  }
}

async function through(
  url: string | undefined,
  atEnd: OnClose,
): Promise<{ readonly url: string; readonly proxy: TcpProxy }> {
  const target = new URL(url ?? '');
  const proxy = await createTcpProxy({ target: { port: Number(target.port) } });
  atEnd(() => proxy.close());
  target.port = String(proxy.port);
  return { url: target.href.replace(/\/$/, ''), proxy };
}
