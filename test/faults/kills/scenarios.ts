/**
 * The fates an order can have, each told to its end: what the client does, what the providers do, and
 * what must be true when the order rests. A process may die anywhere in between.
 */
import { expect } from 'vitest';
import type { z } from 'zod';
import type { OrderId } from '../../../domain/ids.ts';
import type { RefundStatus } from '../../../domain/refund.ts';
import type { faultSchema, Place } from '../../../local/sandbox/faults.ts';
import { DECLINED_CARD } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped } from '../../support/expectations.ts';
import { newRequest } from './client.ts';
import type { Lane } from './shared-stack.ts';
import {
  AT_REST_WITHIN_MS,
  hasHappened,
  nothingIsHeldFor,
  pastItsDeadline,
  placeUntilAccepted,
  redriveUntil,
  rests,
  SOON,
  told,
} from './outcomes.ts';

/** Tells one order's fate and checks its end. Gives the order. */
export type Fate = (lane: Lane) => Promise<OrderId>;

const SHIP: Place = { provider: 'warehouse', operation: 'ship' };
const AUTHORIZE: Place = { provider: 'payments', operation: 'authorize' };
const LOOK_UP: Place = { provider: 'payments', operation: 'lookup' };
const CAPTURE: Place = { provider: 'payments', operation: 'capture' };
const REFUND: Place = { provider: 'payments', operation: 'refund' };
const SHIPPED_EFFECTS = { authorize: 1, capture: 1, reserve: 1, ship: 1 };
const REFUND_MINOR = 700;
const MAIL: Place = { provider: 'mail', operation: 'send' };

export const FATES = {
  shipped,
  placedLater,
  declined,
  givenUp,
  voided,
  refunded,
  withdrawn,
  attended,
  unnotified,
  undelivered,
  givenBack,
  notGivenBack,
  givenBackByHelp,
  differing,
} as const satisfies Readonly<Record<string, Fate>>;

export type FateName = keyof typeof FATES;

/** Paid, shipped, told. */
async function shipped(lane: Lane): Promise<OrderId> {
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  await eventually(() => expect(told(lane, orderId)).toEqual(['confirmed', 'shipped']), SOON);
  await expectShipped(lane, orderId);
  return orderId;
}

/** The provider fails the first try before anything happened; the shopper comes back. */
async function placedLater(lane: Lane): Promise<OrderId> {
  lane.sandbox.faults.set(AUTHORIZE, { mode: 'fail_before', times: 1 });
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  await expectShipped(lane, orderId);
  return orderId;
}

async function declined(lane: Lane): Promise<OrderId> {
  const orderId = await placeUntilAccepted(lane, newRequest({ card: DECLINED_CARD }));
  await rests(lane, orderId, 'declined');
  expect(effectsOf(lane, orderId)).toEqual({});
  await nothingIsHeldFor(lane, orderId);
  return orderId;
}

/** Nobody knows whether the money is held, and the shopper does not come back. */
async function givenUp(lane: Lane): Promise<OrderId> {
  lane.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
  lane.sandbox.faults.set(LOOK_UP, { mode: 'down', times: 1 });
  const request = newRequest();
  await lane.client.tryOnce(request);
  const orderId = await pastItsDeadline(lane, request);
  await rests(lane, orderId, 'expired');
  const { authorize = 0, void: voided = 0, ...others } = effectsOf(lane, orderId);
  expect([voided, others]).toEqual([authorize, {}]);
  await nothingIsHeldFor(lane, orderId);
  const late = await lane.client.place(request);
  expect([late.status, late.text]).toEqual([409, expect.stringContaining('order_expired')]);
  return orderId;
}

/** The bank takes back its word: nothing was captured, so the authorization is voided. */
async function voided(lane: Lane): Promise<OrderId> {
  const orderId = await placeUnder(lane, { at: CAPTURE, fault: { mode: 'refuse' } });
  await rests(lane, orderId, 'cancelled');
  expect(effectsOf(lane, orderId)).toMatchObject({ void: 1, reserve: 1, release: 1 });
  await expectCleanSlate(lane, orderId);
  return orderId;
}

/** The warehouse will not ship what is paid. */
async function refunded(lane: Lane): Promise<OrderId> {
  const orderId = await placeUnder(lane, { at: SHIP, fault: { mode: 'refuse' } });
  await rests(lane, orderId, 'cancelled');
  expect(effectsOf(lane, orderId)).toMatchObject({ capture: 1, refund: 1, release: 1 });
  await expectCleanSlate(lane, orderId);
  return orderId;
}

/** The shopper cancels while the parcel is being packed; it must not leave by itself meanwhile. */
async function withdrawn(lane: Lane): Promise<OrderId> {
  const orderId = await placeUntilAccepted(lane, newRequest());
  await hasHappened(lane, orderId, 'order.shipment_requested');
  const cancel = await lane.client.operate(`/v1/orders/${orderId}/cancel`, {});
  expect([cancel.status, cancel.text]).toEqual([
    202,
    expect.stringContaining('pending_compensations'),
  ]);
  await rests(lane, orderId, 'cancelled');
  expect(effectsOf(lane, orderId)).toMatchObject({ ship: 1, cancel: 1, refund: 1 });
  await expectCleanSlate(lane, orderId);
  return orderId;
}

/** The refund is refused: a person is asked, and has it done again. */
async function attended(lane: Lane): Promise<OrderId> {
  lane.sandbox.faults.set(REFUND, { mode: 'refuse' });
  const orderId = await placeUnder(lane, { at: SHIP, fault: { mode: 'refuse' } });
  await rests(lane, orderId, 'needs_attention');
  lane.sandbox.faults.clear();
  await redriveUntil(lane, orderId, async () => {
    const { status } = await lane.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(status).toBe('cancelled');
  });
  await expectCleanSlate(lane, orderId);
  const resolved = { orderId, type: 'order.attention_resolved' };
  expect(await lane.db.event.count({ where: resolved })).toBe(1);
  return orderId;
}

/** The mail server knows no such mailbox: the order ships all the same. */
async function unnotified(lane: Lane): Promise<OrderId> {
  const orderId = await placeUnder(lane, { at: MAIL, fault: { mode: 'refuse' } });
  await rests(lane, orderId, 'shipped');
  const failed = { orderId, type: 'order.notification_failed' };
  await eventually(async () => expect(await lane.db.event.count({ where: failed })).toBe(2), SOON);
  await expectShipped(lane, orderId);
  return orderId;
}

/** An endpoint answers that it is gone: its event lies in the dead letters, once. */
async function undelivered(lane: Lane): Promise<OrderId> {
  const wanted = { url: lane.goneReceiver.url, types: ['order.placed'] };
  const endpoint = await lane.client.operate('/v1/webhook-endpoints', wanted);
  expect(endpoint.status, endpoint.text).toBe(201);
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  await eventually(async () => {
    const deadLetters = await lane.db.deadLetter.findMany({
      where: { orderId, source: 'delivery' },
    });
    expect(deadLetters).toMatchObject([{ status: 'open', retryCount: 1 }]);
  }, SOON);
  await expectShipped(lane, orderId);
  return orderId;
}

/** Shipped, and a part of the money given back because somebody asked for it. */
async function givenBack(lane: Lane): Promise<OrderId> {
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  await refundReaches(lane, orderId, 'succeeded');
  expect(effectsOf(lane, orderId)).toEqual({ ...SHIPPED_EFFECTS, refund: 1 });
  const { payment } = await lane.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true },
  });
  expect(payment).toMatchObject({ refundedMinor: REFUND_MINOR, refundingMinor: 0 });
  return orderId;
}

/** Shipped, and the provider will not give the money back. */
async function notGivenBack(lane: Lane): Promise<OrderId> {
  lane.sandbox.faults.set(REFUND, { mode: 'refuse' });
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  await refundReaches(lane, orderId, 'failed');
  expect(effectsOf(lane, orderId)).toEqual(SHIPPED_EFFECTS);
  return orderId;
}

/** Shipped, and our books know no payment to give back from: a person mends them and has it tried again. */
async function givenBackByHelp(lane: Lane): Promise<OrderId> {
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  const { providerReference } = await lane.db.payment.findUniqueOrThrow({ where: { orderId } });
  const write = (reference: string | null) =>
    lane.db.payment.update({ where: { orderId }, data: { providerReference: reference } });
  await write(null);
  await refundReaches(lane, orderId, 'needs_attention');
  await write(providerReference);
  await redriveUntil(lane, orderId, () => refundIs(lane, orderId, 'succeeded'));
  expect(effectsOf(lane, orderId)).toEqual({ ...SHIPPED_EFFECTS, refund: 1 });
  await hasHappened(lane, orderId, 'refund.needs_attention');
  return orderId;
}

/** Shipped, and for a while our books say otherwise than the provider's: found once, ended once. */
async function differing(lane: Lane): Promise<OrderId> {
  const orderId = await placeUntilAccepted(lane, newRequest());
  await rests(lane, orderId, 'shipped');
  // Long enough ago that both sides must have heard of it.
  const updatedAt = new Date(Date.now() - 600_000);
  const write = (data: { status: string; refundedMinor: number }) =>
    lane.db.payment.update({ where: { orderId }, data: { ...data, updatedAt } });
  await lane.db.order.update({ where: { id: orderId }, data: { createdAt: updatedAt } });
  await write({ status: 'partially_refunded', refundedMinor: REFUND_MINOR });
  await reconciledUntil(lane, orderId, 'order.discrepancy_found');
  await write({ status: 'captured', refundedMinor: 0 });
  await reconciledUntil(lane, orderId, 'order.discrepancy_resolved');
  expect(effectsOf(lane, orderId)).toEqual(SHIPPED_EFFECTS);
  return orderId;
}

/** An operator who has the books compared until it shows. */
async function reconciledUntil(lane: Lane, orderId: OrderId, type: string): Promise<void> {
  await eventually(
    async () => {
      if ((await lane.db.event.count({ where: { orderId, type } })) === 1) return;
      await lane.client.operateOnce('/v1/reconciliations', {});
      throw new Error(`no ${type} yet`);
    },
    { timeoutMs: AT_REST_WITHIN_MS, everyMs: 500 },
  );
}

/** Asks for a part of the money back. */
async function refundReaches(lane: Lane, orderId: OrderId, status: RefundStatus): Promise<void> {
  const wanted = { amount_minor: REFUND_MINOR, reason: 'one was broken' };
  const asked = await lane.client.operate(`/v1/orders/${orderId}/refunds`, wanted);
  expect(asked.status, asked.text).toBe(202);
  await eventually(() => refundIs(lane, orderId, status), SOON);
}

async function refundIs(lane: Lane, orderId: OrderId, status: RefundStatus): Promise<void> {
  const refunds = await lane.db.refund.findMany({ where: { orderId } });
  expect(refunds.map((refund) => refund.status)).toEqual([status]);
}

async function placeUnder(
  lane: Lane,
  harm: { readonly at: Place; readonly fault: z.input<typeof faultSchema> },
): Promise<OrderId> {
  lane.sandbox.faults.set(harm.at, harm.fault);
  return placeUntilAccepted(lane, newRequest());
}
