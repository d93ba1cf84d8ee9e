/**
 * Scenarios of one shipped order whose payment changes afterwards: refunds, and records that differ from
 * the provider's. The process may be killed anywhere in between.
 */
import { expect } from 'vitest';
import type { OrderId } from '../../../domain/ids.ts';
import type { PaymentStatus } from '../../../domain/payment.ts';
import type { RefundStatus } from '../../../domain/refund.ts';
import { eventually } from '../../support/eventually.ts';
import { effectsOf } from '../../support/expectations.ts';
import { moveAtProvider, refundInDashboard } from '../../support/provider-refunds.ts';
import { withWebhooks } from './challenged.ts';
import { withCredit } from './client.ts';
import {
  placeUntilSettled,
  redriveUntil,
  SETTLED_WITHIN_MS,
  SOON,
  untilEvent,
  untilStatus,
} from './outcomes.ts';
import type { TestStack } from './test-stack.ts';

export const REFUNDED = {
  refundedPartly,
  refundPending,
  refundRefused,
  refundRedriven,
  discrepancyResolved,
} as const;

const REFUND = { provider: 'payments', operation: 'refund' } as const;
const SHIPPED_EFFECTS = { authorize: 1, capture: 1, reserve: 1, ship: 1 };
const REFUND_MINOR = 700;

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
