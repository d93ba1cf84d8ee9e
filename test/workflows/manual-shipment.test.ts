import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, expect, test, vi } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { OrderId } from '../../domain/ids.ts';
import { MANUAL_CARRIER } from '../../domain/shipment.ts';
import { ProviderRejection } from '../../gateways/resilience/outcome.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { findCheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import type { checkout } from '../../workflows/checkout/checkout.ts';
import type { Resolution } from '../../domain/attention.ts';
import {
  cancelUpdate,
  CHECKOUT_WORKFLOW,
  checkoutResumeOptions,
} from '../../workflows/checkout/contract.ts';
import { eventually } from '../support/eventually.ts';
import {
  attentionOf,
  effectsOf,
  eventTypesOf,
  notificationsOf,
  waitingFor,
} from '../support/expectations.ts';
import { createRecorders } from '../support/recorders.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { resolve, update } from '../support/updates.ts';
import { useRunningShop } from '../support/use-shop.ts';

const STEP = 'cancelShipment';
/** Long enough that no parcel leaves during a test. */
const NEVER_MS = 600_000;
/** Charged once; requested at the warehouse once, and cancelled there. */
const SHIPMENT_CANCELLED = { authorize: 1, capture: 1, reserve: 1, ship: 1, cancel: 1 };

// Orders get no workflow on their own: each test starts one that continues the order.
const shop = useRunningShop({
  callbackDelayMs: NEVER_MS,
  temporal: { checkouts: createRecorders().checkouts },
});
afterEach(() => vi.restoreAllMocks());

test('a manual shipment cancels the request at the warehouse before the order becomes shipped', async () => {
  const orderId = await orderAwaitingDecision();
  const handle = await resumeWith(orderId, { step: 'shipOrder', decision: 'skip' });
  expect((await handle.result()).status).toBe('shipped');
  await expectShippedManually(orderId);
  expect(effectsOf(shop, orderId)).toEqual(SHIPMENT_CANCELLED);
  const types = await eventTypesOf(shop, orderId);
  expect(types.filter((type) => type !== 'order.customer_notified').slice(-3)).toEqual([
    'order.attention_resolved',
    'order.shipment_cancelled',
    'order.shipped',
  ]);
});

test('a failed warehouse cancellation after a manual shipment needs attention and succeeds on retry', async () => {
  const handle = await failedCancellation();
  const arg = { reason: 'requested_by_operator', actor: 'op' } as const;
  await expect(update(handle, { definition: cancelUpdate, arg })).rejects.toThrow();
  vi.restoreAllMocks();
  await resolve(handle, { step: STEP, decision: 'retry' });
  expect((await handle.result()).status).toBe('shipped');
  await expectShippedManually(orderIdOf(handle));
  expect(effectsOf(shop, orderIdOf(handle))).toEqual(SHIPMENT_CANCELLED);
});

test('skipping a failed warehouse cancellation after a manual shipment ends the order shipped', async () => {
  const handle = await failedCancellation();
  await resolve(handle, { step: STEP, decision: 'skip' });
  expect((await handle.result()).status).toBe('shipped');
  await expectShippedManually(orderIdOf(handle));
});

test.each([
  { decision: 'retry', effects: SHIPMENT_CANCELLED },
  { decision: 'skip', effects: { authorize: 1, capture: 1, reserve: 1, ship: 1 } },
] as const)(
  'a new run after a lost workflow keeps the manual shipment when the decision is $decision',
  async ({ decision, effects }) => {
    const lost = await failedCancellation();
    const orderId = orderIdOf(lost);
    await lost.terminate('lost');
    if (decision === 'retry') vi.restoreAllMocks();
    const handle = await resumeWith(orderId, { step: STEP, decision });
    expect((await handle.result()).status).toBe('shipped');
    await expectShippedManually(orderId);
    expect(effectsOf(shop, orderId)).toEqual(effects);
  },
);

/** An order whose requested parcel never shipped, and whose shipping needs a decision. */
async function orderAwaitingDecision(): Promise<OrderId> {
  const { db, gateways } = shop;
  const { orderId } = await shop.order();
  const warehouseCallbackUrl = 'http://127.0.0.1:9/callbacks/warehouse';
  const activities = createActivities({ db, ...gateways, warehouseCallbackUrl });
  const worker = new MockActivityEnvironment();
  await worker.run(activities.reserveStock, { orderId });
  await worker.run(activities.capturePayment, { orderId });
  await worker.run(activities.requestShipment, { orderId });
  await recordNeedsAttention(db, orderId, { steps: ['shipOrder'], failure: 'no answer' });
  return orderId;
}

async function expectShippedManually(orderId: OrderId): Promise<void> {
  const { status, shipment } = await shop.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { shipment: true },
  });
  expect(status).toBe('shipped');
  expect(shipment).toMatchObject({ status: 'shipped', carrier: MANUAL_CARRIER });
  expect(notificationsOf(shop, orderId)).toContain('shipped');
}

/** A new run that resumes the order with the decision, as the API starts it. */
async function resumeWith(
  orderId: OrderId,
  decided: Pick<Resolution, 'step' | 'decision'>,
): Promise<CheckoutHandle> {
  const progress = await findCheckoutProgress(shop.db, orderId);
  if (!progress) throw new Error(`no order ${orderId}`);
  const { start, from, shippedManually } = progress;
  const resolution = { ...decided, note: 'shipped by courier', actor: 'op' };
  const resume = { from, cancelReason: null, resolution, shippedManually };
  const options = checkoutResumeOptions({ ...start, resume }, { replacing: false });
  return shop.temporal.client.workflow.start<typeof checkout>(CHECKOUT_WORKFLOW, options);
}

/** Shipped manually, and the warehouse rejects the cancellation: it fails permanently at once. */
async function failedCancellation(): Promise<CheckoutHandle> {
  const rejection = new ProviderRejection('warehouse', 'test');
  vi.spyOn(shop.gateways.warehouse, 'cancelShipment').mockRejectedValue(rejection);
  const orderId = await orderAwaitingDecision();
  const handle = await resumeWith(orderId, { step: 'shipOrder', decision: 'skip' });
  await eventually(async () => expect(await waitingFor(handle)).toEqual([STEP]));
  expect(await attentionOf(shop, orderId)).toBe(STEP);
  return handle;
}
