import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { COMMIT_REQUEST } from '../../../tools/chaos/network-fault.ts';
import { createTcpProxy, type TcpProxy } from '../../../tools/chaos/tcp-proxy.ts';
import { createCleanup, type OnClose } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { expectShipped } from '../../support/expectations.ts';
import { cell } from '../matrix-case.ts';
import { newRequest, parseOrderId, type OrderRequest } from './client.ts';
import { openServer, openTestStack, type TestStack } from './test-stack.ts';
import { placeUntilAccepted, untilStatus } from './outcomes.ts';
import { expectDelivered, expectEventuallyConsistent } from './consistent.ts';

/** A shop whose lines to its database and its providers go through proxies that do harm. */
const { onClose, close } = createCleanup();
let stack: TestStack;
let toDatabase: TcpProxy;
let toProviders: TcpProxy;
beforeAll(async () => {
  const server = await openServer(onClose);
  const adapt = async (env: TestStack['env']): Promise<TestStack['env']> => {
    const database = await through(env['DATABASE_URL'], onClose);
    const providers = await through(env['STRIPE_API_URL'], onClose);
    [toDatabase, toProviders] = [database.proxy, providers.proxy];
    const provider = { STRIPE_API_URL: providers.url, WAREHOUSE_URL: providers.url };
    return { ...env, ...provider, DATABASE_URL: database.url };
  };
  stack = await openTestStack({ name: 'shop', server, onClose, adapt });
});
afterEach(() => {
  toDatabase.clearFaults();
  toProviders.clearFaults();
});
afterAll(close);

/** With each round more commits of an order lose their answer: the shopper's, then the workflow's. */
const ROUNDS = 3;
const CROWD = 3;
const BACK_WITHIN = { timeoutMs: 60_000, everyMs: 100 };

cell(
  'infra/commit-ack-lost',
  'an order whose connection is lost during COMMIT is created once, with each effect once',
  async ({ fired }) => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const before = toDatabase.counts().cut_on;
      toDatabase.inject({
        kind: 'cut_on',
        direction: 'to_server',
        pattern: COMMIT_REQUEST,
        deliver: true,
        times: CROWD * round,
      });
      const requests = Array.from({ length: CROWD }, () => newRequest());
      await Promise.all(requests.map((request) => placedAndShipped(request)));
      fired(toDatabase.counts().cut_on - before);
      toDatabase.clearFaults();
    }
    expect(await stack.db.order.count()).toBe(ROUNDS * CROWD);
    await expectEventuallyConsistent(stack);
  },
  300_000,
);

cell(
  'infra/partial-network',
  'an order over a slow database connection ships once',
  async ({ fired }) => {
    toDatabase.inject({ kind: 'slow', latencyMs: 30, sliceBytes: 100 });
    const orderId = await placeUntilAccepted(stack, newRequest());
    await untilStatus(stack, orderId, 'shipped');
    await expectShipped(stack, orderId);
    fired(toDatabase.counts().slow);
  },
);

cell(
  'infra/partial-network',
  'orders get 503 in bounded time while database responses are lost, and ship afterwards',
  async ({ fired }) => {
    const earlier = await placeUntilAccepted(stack, newRequest());
    toDatabase.inject({ kind: 'swallow', direction: 'to_client' });
    const request = newRequest();
    // A request that hangs gets no answer: the client gives up.
    const answers = await Promise.all(
      Array.from({ length: 15 }, () => stack.client.tryOnce(request)),
    );
    for (const answer of answers) expect(answer?.status, answer?.text).toBe(503);
    fired(toDatabase.counts().swallow);
    toDatabase.clearFaults();
    await shipsAfterwards([earlier, parseOrderId(await stack.client.place(request))]);
  },
);

cell(
  'infra/partial-network',
  'an order gets 503 in bounded time when provider connections are half-open, and ships afterwards',
  async ({ fired }) => {
    toProviders.inject({ kind: 'swallow' });
    const request = newRequest();
    const answer = await stack.client.tryOnce(request);
    expect(answer?.status, answer?.text).toBe(503);
    fired(toProviders.counts().swallow);
    toProviders.clearFaults();
    await shipsAfterwards([parseOrderId(await stack.client.place(request))]);
    await expectEventuallyConsistent(stack);
  },
);

async function placedAndShipped(request: OrderRequest): Promise<void> {
  const orderId = await placeUntilAccepted(stack, request);
  await untilStatus(stack, orderId, 'shipped');
  await expectShipped(stack, orderId);
  expect(await stack.db.idempotencyKey.count({ where: { key: request.key } })).toBe(1);
}

async function shipsAfterwards(
  orderIds: readonly Parameters<typeof untilStatus>[1][],
): Promise<void> {
  for (const orderId of orderIds) {
    await untilStatus(stack, orderId, 'shipped');
    await eventually(() => expectShipped(stack, orderId), BACK_WITHIN);
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
