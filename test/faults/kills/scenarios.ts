/**
 * Scenarios of one order: what the client does, what the providers do, and what must be true when the
 * order has settled. The process may be killed anywhere in between.
 */
import { expect } from 'vitest';
import type { z } from 'zod';
import { ERASED } from '../../../domain/erasure.ts';
import type { OrderId } from '../../../domain/ids.ts';
import type { faultSchema, Place } from '../../../local/sandbox/faults.ts';
import { DECLINED_CARD, PERSON } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped, textsOf } from '../../support/expectations.ts';
import { startReceiver } from '../../support/webhook-receiver.ts';
import { CHALLENGED } from './challenged.ts';
import { withCredit } from './client.ts';
import { disputed } from './disputed.ts';
import { REFUNDED } from './refunded.ts';
import { grantPersonCredit, type TestStack } from './test-stack.ts';
import {
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
  ...REFUNDED,
  disputed,
  erased,
} as const satisfies Readonly<Record<string, Scenario>>;

export type ScenarioName = keyof typeof SCENARIOS;

/** Paid, shipped, notified, by SMS as well. */
async function shipped(stack: TestStack): Promise<OrderId> {
  const orderId = await placeUntilSettled(stack, withCredit({ sms: true }));
  await untilStatus(stack, orderId, 'shipped');
  await eventually(
    () => expect(notificationsTo(stack, orderId)).toEqual(['confirmed', 'shipped']),
    SOON,
  );
  const notified = { orderId, dedupKey: 'order.customer_notified/sms/shipped' };
  await eventually(
    async () => expect(await stack.db.event.count({ where: notified })).toBe(1),
    SOON,
  );
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

async function placeUnder(
  stack: TestStack,
  given: { readonly at: Place; readonly fault: z.input<typeof faultSchema> },
): Promise<OrderId> {
  stack.sandbox.faults.set(given.at, given.fault);
  return placeUntilSettled(stack, withCredit());
}
