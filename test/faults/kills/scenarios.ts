/**
 * Scenarios of one order: what the client does, what the providers do, and what must be true when the
 * order has settled. The process may be killed anywhere in between.
 */
import { expect } from 'vitest';
import type { z } from 'zod';
import { ERASED } from '../../../domain/erasure.ts';
import type { OrderId } from '../../../domain/ids.ts';
import type { PaymentStatus } from '../../../domain/payment.ts';
import type { RefundStatus } from '../../../domain/refund.ts';
import type { faultSchema, Place } from '../../../local/sandbox/faults.ts';
import { DECLINED_CARD, PERSON, type Line } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped, textsOf } from '../../support/expectations.ts';
import { moveAtProvider, refundInDashboard } from '../../support/provider-refunds.ts';
import { startReceiver } from '../../support/webhook-receiver.ts';
import { CHALLENGED, withWebhooks } from './challenged.ts';
import { newRequest, type OrderRequest } from './client.ts';
import { disputed } from './disputed.ts';
import { grantPersonCredit, type TestStack } from './test-stack.ts';
import {
  SETTLED_WITHIN_MS,
  untilEvent,
  expectNothingHeld,
  passOrderDeadline,
  placeUntilSettled,
  redriveUntil,
  untilStatus,
  SOON,
  notificationsTo,
} from './outcomes.ts';

/** Runs one order to its outcome and checks it. Gives the order. */
export type Scenario = (stack: TestStack) => Promise<OrderId>;

const SHIP: Place = { provider: 'warehouse', operation: 'ship' };
const AUTHORIZE: Place = { provider: 'payments', operation: 'authorize' };
const LOOK_UP: Place = { provider: 'payments', operation: 'lookup' };
const CAPTURE: Place = { provider: 'payments', operation: 'capture' };
const REFUND: Place = { provider: 'payments', operation: 'refund' };
const PARTLY_THERE = 'tee-black-m';
const SHIPPED_EFFECTS = { authorize: 1, capture: 1, reserve: 1, ship: 1 };
const REFUND_MINOR = 700;
const MAIL: Place = { provider: 'mail', operation: 'send' };

export const SCENARIOS = {
  ...CHALLENGED,
  shipped,
  shippedInPart,
  retried,
  declined,
  abandoned,
  voided,
  refunded,
  cancelled,
  resolvedByOperator,
  mailRefused,
  webhookDeadLettered,
  webhookRetried,
  refundedPartly,
  refundPending,
  refundRefused,
  refundRedriven,
  disputed,
  discrepancyResolved,
  erased,
} as const satisfies Readonly<Record<string, Scenario>>;

export type ScenarioName = keyof typeof SCENARIOS;

/** Store credit pays a part, so that whatever is killed has it to hold, spend and give back. */
function withCredit(line: Line = {}): OrderRequest {
  return newRequest({ creditMinor: 300, ...line });
}

/** Paid, shipped, notified, by SMS as well. */
async function shipped(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit({ sms: true }));
  await untilStatus(stack, orderId, 'shipped');
  await eventually(
    () => expect(notificationsTo(stack, orderId)).toEqual(['confirmed', 'shipped']),
    SOON,
  );
  const told = { orderId, dedupKey: 'order.customer_notified/sms/shipped' };
  await eventually(async () => expect(await stack.db.event.count({ where: told })).toBe(1), SOON);
  expect(textsOf(stack, orderId)).toHaveLength(1);
  await expectShipped(stack, orderId);
  return orderId;
}

/** The warehouse has one of the two units: that one is captured and shipped. */
async function shippedInPart(stack: TestStack): Promise<OrderId> {
  const { warehouseStock } = stack.sandbox;
  warehouseStock.set(PARTLY_THERE, 1);
  const line = { sku: PARTLY_THERE, fulfillment: 'ship_available' } as const;
  const orderId = await placeUntilSettled(stack, withCredit(line));
  await untilStatus(stack, orderId, 'shipped');
  warehouseStock.set(PARTLY_THERE, null);
  const lines = await stack.db.orderLine.findMany({ where: { orderId } });
  expect(lines).toMatchObject([{ quantity: 2, reservedQuantity: 1 }]);
  await expectShipped(stack, orderId);
  return orderId;
}

/** The first authorization fails without effect, and the client retries. */
async function retried(stack: TestStack): Promise<OrderId> {
  stack.sandbox.faults.set(AUTHORIZE, { mode: 'fail_before', times: 1 });
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilStatus(stack, orderId, 'shipped');
  await expectShipped(stack, orderId);
  return orderId;
}

async function declined(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit({ card: DECLINED_CARD }));
  await untilStatus(stack, orderId, 'declined');
  expect(effectsOf(stack, orderId)).toEqual({});
  await expectNothingHeld(stack, orderId);
  return orderId;
}

/** The outcome of the authorization is unknown, and the client does not retry. */
async function abandoned(stack: TestStack): Promise<OrderId> {
  stack.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
  stack.sandbox.faults.set(LOOK_UP, { mode: 'down', times: 1 });
  const request = withCredit();
  await stack.client.tryOnce(request);
  const orderId = await passOrderDeadline(stack, request);
  await untilStatus(stack, orderId, 'expired');
  const { authorize = 0, void: voided = 0, ...others } = effectsOf(stack, orderId);
  expect([voided, others]).toEqual([authorize, {}]);
  await expectNothingHeld(stack, orderId);
  const late = await stack.client.place(request);
  expect([late.status, late.text]).toEqual([409, expect.stringContaining('order_expired')]);
  return orderId;
}

/** The capture is refused: nothing was captured, so the authorization is voided. */
async function voided(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUnder(stack, { at: CAPTURE, fault: { mode: 'refuse' } });
  await untilStatus(stack, orderId, 'cancelled');
  expect(effectsOf(stack, orderId)).toMatchObject({ void: 1, reserve: 1, release: 1 });
  await expectCleanSlate(stack, orderId);
  return orderId;
}

/** The warehouse refuses to ship a paid order. */
async function refunded(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUnder(stack, { at: SHIP, fault: { mode: 'refuse' } });
  await untilStatus(stack, orderId, 'cancelled');
  expect(effectsOf(stack, orderId)).toMatchObject({ capture: 1, refund: 1, release: 1 });
  await expectCleanSlate(stack, orderId);
  return orderId;
}

/** The customer cancels while the parcel is packed; parcels must leave late in this stack. */
async function cancelled(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilEvent(stack, orderId, 'order.shipment_requested');
  const cancel = await stack.client.operate(`/v1/orders/${orderId}/cancel`, {});
  expect([cancel.status, cancel.text]).toEqual([
    202,
    expect.stringContaining('pending_compensations'),
  ]);
  await untilStatus(stack, orderId, 'cancelled');
  expect(effectsOf(stack, orderId)).toMatchObject({ ship: 1, cancel: 1, refund: 1 });
  await expectCleanSlate(stack, orderId);
  return orderId;
}

/** The refund is refused: the order needs attention, and an operator redrives it. */
async function resolvedByOperator(stack: TestStack): Promise<OrderId> {
  stack.sandbox.faults.set(REFUND, { mode: 'refuse' });
  const orderId = await placeUnder(stack, { at: SHIP, fault: { mode: 'refuse' } });
  await untilStatus(stack, orderId, 'needs_attention');
  stack.sandbox.faults.clear();
  await redriveUntil(stack, orderId, async () => {
    const { status } = await stack.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(status).toBe('cancelled');
  });
  await expectCleanSlate(stack, orderId);
  const resolved = { orderId, type: 'order.attention_resolved' };
  expect(await stack.db.event.count({ where: resolved })).toBe(1);
  return orderId;
}

/** The mail server refuses the mailbox, and the order ships. */
async function mailRefused(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUnder(stack, { at: MAIL, fault: { mode: 'refuse' } });
  await untilStatus(stack, orderId, 'shipped');
  const failed = { orderId, type: 'order.notification_failed' };
  await eventually(async () => expect(await stack.db.event.count({ where: failed })).toBe(2), SOON);
  await expectShipped(stack, orderId);
  return orderId;
}

/** A webhook endpoint is gone: its event becomes one dead letter. */
async function webhookDeadLettered(stack: TestStack): Promise<OrderId> {
  const wanted = { url: stack.goneReceiver.url, types: ['order.placed'] };
  const endpoint = await stack.client.operate('/v1/webhook-endpoints', wanted);
  expect(endpoint.status, endpoint.text).toBe(201);
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilStatus(stack, orderId, 'shipped');
  await eventually(async () => {
    const deadLetters = await stack.db.deadLetter.findMany({
      where: { orderId, source: 'delivery' },
    });
    expect(deadLetters).toMatchObject([{ status: 'open', retryCount: 1 }]);
  }, SOON);
  await expectShipped(stack, orderId);
  return orderId;
}

/** A webhook endpoint fails at first: its event is delivered by a workflow of its own. */
async function webhookRetried(stack: TestStack): Promise<OrderId> {
  const receiver = await startReceiver();
  receiver.answer = (response) =>
    response.writeHead(receiver.received.length === 1 ? 500 : 204).end();
  // Not onTestFinished: beside other tests it may belong to one of them.
  try {
    const wanted = { url: receiver.url, types: ['order.placed'] };
    const endpoint = await stack.client.operate('/v1/webhook-endpoints', wanted);
    expect(endpoint.status, endpoint.text).toBe(201);
    const orderId = await placeUntilSettled(stack, withCredit());
    await untilStatus(stack, orderId, 'shipped');
    await eventually(() => expect(receiver.received.length).toBeGreaterThan(1), SOON);
    await expectShipped(stack, orderId);
    return orderId;
  } finally {
    await receiver.close();
  }
}

/** Shipped, then partly refunded on request. */
async function refundedPartly(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilStatus(stack, orderId, 'shipped');
  await refundPartly(stack, orderId, 'succeeded');
  expect(effectsOf(stack, orderId)).toEqual({ ...SHIPPED_EFFECTS, refund: 1 });
  const { payment } = await stack.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true },
  });
  expect(payment).toMatchObject({ refundedMinor: REFUND_MINOR, refundingMinor: 0 });
  return orderId;
}

/** Shipped; the provider is not sure of the requested refund for a while, and has one from its dashboard. */
async function refundPending(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit({ card: 'pm_card_pendingRefund' }));
  await untilStatus(stack, orderId, 'shipped');
  await refundPartly(stack, orderId, 'pending');
  const { providerReference } = await stack.db.payment.findUniqueOrThrow({ where: { orderId } });
  await refundInDashboard(stack, providerReference, { amount: 100 });
  await backdate(stack, orderId);
  await reconciledUntil(stack, orderId, 'refund.external');
  const done = { orderId, cause: 'provider', status: 'succeeded' } as const;
  await eventually(async () => expect(await stack.db.refund.count({ where: done })).toBe(1), SOON);
  await settlePending(stack, orderId);
  expect(effectsOf(stack, orderId)).toEqual({ ...SHIPPED_EFFECTS, refund: 2 });
  return orderId;
}

/** The provider is sure at last, and says so. An erasure of the person waits for that. */
async function settlePending(stack: TestStack, orderId: OrderId): Promise<void> {
  const { id, providerReference } = await stack.db.refund.findFirstOrThrow({
    where: { orderId, status: 'pending' },
  });
  await withWebhooks(stack, async () => {
    await moveAtProvider(stack, providerReference, 'succeeded');
    await eventually(async () => {
      const { status } = await stack.db.refund.findUniqueOrThrow({ where: { id } });
      expect(status).toBe('succeeded');
    }, SOON);
  });
}

/** Shipped, and the provider refuses the requested refund. */
async function refundRefused(stack: TestStack): Promise<OrderId> {
  stack.sandbox.faults.set(REFUND, { mode: 'refuse' });
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilStatus(stack, orderId, 'shipped');
  await refundPartly(stack, orderId, 'failed');
  expect(effectsOf(stack, orderId)).toEqual(SHIPPED_EFFECTS);
  return orderId;
}

/** Shipped, and the payment's reference is missing: an operator corrects it and redrives the refund. */
async function refundRedriven(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilStatus(stack, orderId, 'shipped');
  const { providerReference } = await stack.db.payment.findUniqueOrThrow({ where: { orderId } });
  const write = (reference: string | null) =>
    stack.db.payment.update({ where: { orderId }, data: { providerReference: reference } });
  await write(null);
  await refundPartly(stack, orderId, 'needs_attention');
  await write(providerReference);
  await redriveUntil(stack, orderId, () => expectRefund(stack, orderId, 'succeeded'));
  expect(effectsOf(stack, orderId)).toEqual({ ...SHIPPED_EFFECTS, refund: 1 });
  await untilEvent(stack, orderId, 'refund.needs_attention');
  return orderId;
}

/** Shipped, and our records differ from the provider's for a while: found once, resolved once. */
async function discrepancyResolved(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit());
  await untilStatus(stack, orderId, 'shipped');
  const updatedAt = await backdate(stack, orderId);
  const write = (data: { status: PaymentStatus; refundedMinor: number }) =>
    stack.db.payment.update({ where: { orderId }, data: { ...data, updatedAt } });
  await write({ status: 'partially_refunded', refundedMinor: REFUND_MINOR });
  await reconciledUntil(stack, orderId, 'order.discrepancy_found');
  await write({ status: 'captured', refundedMinor: 0 });
  await reconciledUntil(stack, orderId, 'order.discrepancy_resolved');
  expect(effectsOf(stack, orderId)).toEqual(SHIPPED_EFFECTS);
  return orderId;
}

/** Shipped, and the person is erased: the repeated request continues what was interrupted. */
async function erased(stack: TestStack): Promise<OrderId> {
  const orderId = await shipped(stack);
  const response = await stack.client.operate('/v1/persons/erase', { email: PERSON.email });
  expect(response.status, response.text).toBe(200);
  const { customerEmail } = await stack.db.order.findUniqueOrThrow({ where: { id: orderId } });
  expect(customerEmail).toBe(ERASED);
  expect(await stack.db.customer.count({ where: { email: PERSON.email } })).toBe(0);
  await grantPersonCredit(stack.db);
  return orderId;
}

/** Makes the order old enough for a reconciliation to compare it. */
async function backdate({ db }: TestStack, orderId: OrderId): Promise<Date> {
  const updatedAt = new Date(Date.now() - 600_000);
  await db.payment.update({ where: { orderId }, data: { updatedAt } });
  await db.order.update({ where: { id: orderId }, data: { createdAt: updatedAt } });
  return updatedAt;
}

/** Starts reconciliations, as an operator does, until the event is recorded. */
async function reconciledUntil(stack: TestStack, orderId: OrderId, type: string): Promise<void> {
  await eventually(
    async () => {
      if ((await stack.db.event.count({ where: { orderId, type } })) === 1) return;
      await stack.client.operateOnce('/v1/reconciliations', {});
      throw new Error(`no ${type} yet`);
    },
    { timeoutMs: SETTLED_WITHIN_MS, everyMs: 500 },
  );
}

/** Requests a partial refund and waits for its status. */
async function refundPartly(
  stack: TestStack,
  orderId: OrderId,
  status: RefundStatus,
): Promise<void> {
  const wanted = { amount_minor: REFUND_MINOR, reason: 'one was broken' };
  const response = await stack.client.operate(`/v1/orders/${orderId}/refunds`, wanted);
  expect(response.status, response.text).toBe(202);
  await eventually(() => expectRefund(stack, orderId, status), SOON);
}

async function expectRefund(
  stack: TestStack,
  orderId: OrderId,
  status: RefundStatus,
): Promise<void> {
  const refunds = await stack.db.refund.findMany({ where: { orderId } });
  expect(refunds.map((refund) => refund.status)).toEqual([status]);
}

async function placeUnder(
  stack: TestStack,
  given: { readonly at: Place; readonly fault: z.input<typeof faultSchema> },
): Promise<OrderId> {
  stack.sandbox.faults.set(given.at, given.fault);
  return placeUntilSettled(stack, withCredit());
}
