import { hostname } from 'node:os';
import { afterAll, beforeAll, expect } from 'vitest';
import { subscriptionWorkflowId, type OrderId } from '../../../domain/ids.ts';
import { webhookSubscription } from '../../../domain/webhook.ts';
import { createAppProcess, type AppProcess } from '../../support/app-process.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { expectShipped } from '../../support/expectations.ts';
import { test } from '../matrix-case.ts';
import { newRequest } from './client.ts';
import { openTestStack, type TestStack } from './test-stack.ts';
import { placeUntilSettled, untilStatus } from './outcomes.ts';
import { expectDelivered, expectEventuallyConsistent } from './consistent.ts';
import { times } from '../../support/times.ts';

/** One API process and two worker processes of one shop. */
const { onClose, close } = createCleanup();
const ORDERS = 8;
const TAKEN_OVER_WITHIN = { timeoutMs: 60_000, everyMs: 100 };
let stack: TestStack;
let workers: readonly AppProcess[];
beforeAll(async () => {
  const adapt = (env: TestStack['env']) => Promise.resolve({ ...env, ROLE: 'api' });
  stack = await openTestStack({ name: 'api', onClose, adapt });
  workers = await Promise.all(
    ['first', 'second'].map(async (name) => {
      const worker = await createAppProcess({ name, env: { ...stack.env, ROLE: 'worker' } });
      onClose(() => worker.kill());
      await worker.start();
      return worker;
    }),
  );
});
afterAll(close);

test('[infra/worker-killed] [O1/F5] a second worker takes over the pumps and orders of a killed one, and nothing happens twice', async (proof) => {
  const holder = await pumpHolder();
  const [doomed, other] = workers.toSorted((a) => (a.pid === holder ? -1 : 1));
  if (doomed?.pid !== holder || !other) throw new Error(`no worker has the process id ${holder}`);
  const orderIds = await placeDuringCaptures();
  await doomed.kill();
  proof.fired(1);
  await eventually(async () => expect(await pumpHolder()).toBe(other.pid), TAKEN_OVER_WITHIN);
  await expectAllShip(orderIds);
  await doomed.start();
});

test('[infra/worker-killed] orders are accepted while all workers are down and ship once one is started', async (proof) => {
  const orderIds = await placeDuringCaptures();
  for (const worker of workers) await worker.kill();
  proof.fired(workers.length);
  const meanwhile = await placeUntilSettled(stack, newRequest());
  await workers[0]?.start();
  await expectAllShip([...orderIds, meanwhile]);
  await expectEventuallyConsistent(stack);
});

/** The process that runs the pump of the webhook subscription. */
async function pumpHolder(): Promise<number> {
  const endpoint = await stack.db.webhookEndpoint.findFirstOrThrow();
  const workflowId = subscriptionWorkflowId(webhookSubscription(endpoint.id));
  return eventually(async () => {
    const { raw } = await stack.temporal.client.workflow.getHandle(workflowId).describe();
    const [pump] = raw.pendingActivities ?? [];
    const [pid, host] = (pump?.lastWorkerIdentity ?? '').split('@');
    expect(host, 'the pump is not running').toBe(hostname());
    return Number(pid);
  }, TAKEN_OVER_WITHIN);
}

/**
 * Orders whose captures are under way at the provider, so that a kill loses some responses. Every other one
 * is inspectable: its capture is an ordinary activity.
 */
async function placeDuringCaptures(): Promise<readonly OrderId[]> {
  const { faults } = stack.sandbox;
  faults.clear();
  const place = { provider: 'payments', operation: 'capture' } as const;
  faults.set(place, { mode: 'latency', latency_ms: 1_500 });
  const placed = times(ORDERS, (index) =>
    placeUntilSettled(stack, newRequest({ inspectable: index % 2 === 1 })),
  );
  await eventually(() => expect(faults.list()[0]?.fired).toBeGreaterThan(0), TAKEN_OVER_WITHIN);
  return Promise.all(placed);
}

async function expectAllShip(orderIds: readonly OrderId[]): Promise<void> {
  stack.sandbox.faults.clear();
  for (const orderId of orderIds) {
    await untilStatus(stack, orderId, 'shipped');
    await expectShipped(stack, orderId);
    await expectDelivered(stack, orderId);
  }
}
