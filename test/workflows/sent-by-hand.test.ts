import { MockActivityEnvironment, type TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { OrderId } from '../../domain/ids.ts';
import { recordNeedsAttention } from '../../prisma/parking.ts';
import { findBooks } from '../../prisma/stopped.ts';
import type { checkout } from '../../workflows/checkout.ts';
import {
  cancelUpdate,
  CHECKOUT_WORKFLOW,
  checkoutResumeOptions,
  resolveUpdate,
  statusQuery,
  type Resolution,
} from '../../workflows/contract.ts';
import { createBench, orderIdOf, type Bench, type CheckoutHandle } from '../support/bench.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, eventTypesOf, noticesOf } from '../support/expectations.ts';
import { createTimeSkippingEnv, letDaysPass } from '../support/temporal.ts';
import { update } from '../support/updates.ts';

const CANCEL = { provider: 'warehouse', operation: 'cancel' } as const;
const STEP = 'cancelShipment';
/** Long enough that a parcel never leaves while a test looks at its request. */
const NEVER_MS = 600_000;
/** Charged once; asked of the warehouse once, and called back. */
const CALLED_BACK = { authorize: 1, capture: 1, reserve: 1, ship: 1, cancel: 1 };

let env: TestWorkflowEnvironment;
let bench: Bench;
beforeAll(async () => {
  env = await createTimeSkippingEnv();
  bench = await createBench({
    client: env.client,
    connection: env.nativeConnection,
    callbackDelayMs: NEVER_MS,
    maxCachedWorkflows: 0,
  });
});
afterEach(() => bench.sandbox.faults.clear());
afterAll(async () => {
  await bench?.close();
  await env?.teardown();
});

test('a manual shipment cancels the request at the warehouse before the order becomes shipped', async () => {
  const orderId = await shippingParked();
  const handle = await decideAnew(orderId, { step: 'shipOrder', decision: 'skip' });
  expect((await handle.result()).status).toBe('shipped');
  await expectSentByHand(orderId);
  expect(effectsOf(bench, orderId)).toEqual(CALLED_BACK);
  const types = await eventTypesOf(bench, orderId);
  expect(types.filter((type) => type !== 'order.customer_notified').slice(-3)).toEqual([
    'order.attention_resolved',
    'order.shipment_cancelled',
    'order.shipped',
  ]);
});

test('a failed warehouse cancellation after a manual shipment needs attention and succeeds on retry', async () => {
  const handle = await calledBackInVain();
  const arg = { reason: 'requested_by_operator' } as const;
  await expect(update(handle, { definition: cancelUpdate, arg })).rejects.toThrow();
  bench.sandbox.faults.clear();
  await resolve(handle, { step: STEP, decision: 'retry' });
  expect((await handle.result()).status).toBe('shipped');
  await expectSentByHand(orderIdOf(handle));
  expect(effectsOf(bench, orderIdOf(handle))).toEqual(CALLED_BACK);
});

test('skipping a failed warehouse cancellation after a manual shipment ends the order shipped', async () => {
  const handle = await calledBackInVain();
  await resolve(handle, { step: STEP, decision: 'skip' });
  expect((await handle.result()).status).toBe('shipped');
  await expectSentByHand(orderIdOf(handle));
});

test.each([
  { decision: 'retry', effects: CALLED_BACK },
  { decision: 'skip', effects: { authorize: 1, capture: 1, reserve: 1, ship: 1 } },
] as const)(
  'a new run after a lost workflow keeps the manual shipment when the decision is $decision',
  async ({ decision, effects }) => {
    const lost = await calledBackInVain();
    const orderId = orderIdOf(lost);
    await lost.terminate('lost');
    if (decision === 'retry') bench.sandbox.faults.clear();
    const handle = await decideAnew(orderId, { step: STEP, decision });
    expect((await handle.result()).status).toBe('shipped');
    await expectSentByHand(orderId);
    expect(effectsOf(bench, orderId)).toEqual(effects);
  },
);

/** An order whose parcel the warehouse was asked for and never sent, parked for a person. */
async function shippingParked(): Promise<OrderId> {
  const { db, gateways } = bench;
  const { orderId } = await bench.place();
  const warehouseCallbackUrl = 'http://127.0.0.1:9/callbacks/warehouse';
  const activities = createActivities({ db, ...gateways, warehouseCallbackUrl });
  const worker = new MockActivityEnvironment();
  await worker.run(activities.reserveStock, { orderId });
  await worker.run(activities.capturePayment, { orderId });
  await worker.run(activities.requestShipment, { orderId });
  await recordNeedsAttention(db, orderId, { steps: ['shipOrder'], failure: 'no answer' });
  return orderId;
}

async function expectSentByHand(orderId: OrderId): Promise<void> {
  const { status, shipment } = await bench.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { shipment: true },
  });
  expect(status).toBe('shipped');
  expect(shipment).toMatchObject({ status: 'shipped', carrier: 'arranged by hand' });
  expect(noticesOf(bench, orderId)).toContain('shipped');
}

/** A new run that goes on from the books with the decision, as the API starts it. */
async function decideAnew(
  orderId: OrderId,
  decided: Pick<Resolution, 'step' | 'decision'>,
): Promise<CheckoutHandle> {
  const books = await findBooks(bench.db, orderId);
  if (!books) throw new Error(`no books of ${orderId}`);
  const { start, from, sentByHand } = books;
  const resolution = { ...decided, note: 'sent by courier', actor: 'op' };
  const resume = { from, undo: null, resolution, sentByHand };
  return env.client.workflow.start<typeof checkout>(CHECKOUT_WORKFLOW, {
    ...checkoutResumeOptions({ ...start, resume }, { replacing: false }),
    taskQueue: bench.taskQueue,
  });
}

/** Sent by hand while the warehouse could not be told, for longer than that is tried. */
async function calledBackInVain(): Promise<CheckoutHandle> {
  bench.sandbox.faults.set(CANCEL, { mode: 'fail_before' });
  const orderId = await shippingParked();
  const handle = await decideAnew(orderId, { step: 'shipOrder', decision: 'skip' });
  await letDaysPass(env, 2);
  await eventually(async () => {
    expect((await handle.query(statusQuery)).waitingFor).toEqual([STEP]);
  });
  const { attentionStep } = await bench.db.order.findUniqueOrThrow({ where: { id: orderId } });
  expect(attentionStep).toBe(STEP);
  return handle;
}

function resolve(
  handle: CheckoutHandle,
  decided: Pick<Resolution, 'step' | 'decision'>,
): Promise<void> {
  const arg = { ...decided, note: 'looked into it', actor: 'op' };
  return update(handle, { definition: resolveUpdate, arg });
}
