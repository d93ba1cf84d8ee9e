import { afterEach, describe, expect, test, vi } from 'vitest';
import { resolveStep } from '../../services/resolve-step.ts';
import { providerKey, shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { ProviderRejection } from '../../gateways/resilience/outcome.ts';
import { recordCancelling } from '../../prisma/orders/record-steps.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { recordResolved } from '../../prisma/payments/step-decisions.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { findCheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import type { Resolution } from '../../domain/attention.ts';
import { CHECKOUT_WORKFLOW, checkoutStartOptions } from '../../workflows/checkout/contract.ts';
import { claimOf, draftOf } from '../prisma/seeded-database.ts';
import { eventually } from '../support/eventually.ts';
import {
  effectsOf,
  expectCleanSlate,
  expectShipped,
  notificationsOf,
} from '../support/expectations.ts';
import { useRunningShop } from '../support/use-shop.ts';
import {
  age,
  deploy,
  orderWithoutWorkflow,
  startWithShortTasks,
  sweep,
  untilStatus,
  WITH_MAINTENANCE,
} from './operations.ts';

const shop = useRunningShop(WITH_MAINTENANCE);
afterEach(() => vi.restoreAllMocks());

const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const CAPTURE = { provider: 'payments', operation: 'capture' } as const;

describe('an order whose workflow is gone', () => {
  test('an order whose workflow vanished is resumed by the next sweep, charged and shipped once', async () => {
    const { orderId } = await orderWithoutWorkflow(shop);
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ restarted: 1, escalated: 0 });
    await untilStatus(shop, orderId, 'shipped');
    await expectShipped(shop, orderId);
  });

  test('a cancelling order whose workflow vanished is compensated completely after the next sweep', async () => {
    const { orderId } = await orderWithoutWorkflow(shop);
    await recordCancelling(shop.db, orderId, { reason: 'requested_by_customer', request: null });
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ restarted: 1 });
    await untilStatus(shop, orderId, 'cancelled');
    await expectCleanSlate(shop, orderId);
  });

  test('an order whose workflow was terminated needs attention, and a retry ships it once', async () => {
    const orderId = await terminatedWhile(SHIP, 'paid');
    expect((await sweep(shop)).counts).toMatchObject({ escalated: 1 });
    const attention = await findAttention(shop.db, orderId);
    expect(attention?.steps).toMatchObject([
      { step: 'checkout', lastFailure: 'the workflow was terminated' },
    ]);
    shop.sandbox.faults.clear();
    expect(await decide(orderId, { step: 'checkout', decision: 'retry' })).toBe('started');
    await untilStatus(shop, orderId, 'shipped');
    await expectShipped(shop, orderId);
    await eventually(() => {
      expect(notificationsOf(shop, orderId).toSorted()).toEqual(['confirmed', 'shipped']);
    });
    expect(await openDeadLetters(orderId)).toBe(0);
  });

  test('an order whose workflow was terminated is compensated when an operator decides to cancel', async () => {
    const orderId = await terminatedWhile(SHIP, 'paid');
    await sweep(shop);
    shop.sandbox.faults.clear();
    expect(await decide(orderId, { step: 'checkout', decision: 'cancel' })).toBe('started');
    await untilStatus(shop, orderId, 'cancelled');
    await expectCleanSlate(shop, orderId);
  });

  test('a cancelled order whose payment is back asks again when its parcel has left, and is never shipped', async () => {
    const orderId = await lostWhileCancelling();
    expect(await decide(orderId, { step: 'cancelShipment', decision: 'retry' })).toBe('started');
    const lastFailure = 'the parcel left before the shipment could be cancelled';
    await eventually(async () => {
      const attention = await findAttention(shop.db, orderId);
      expect(attention?.steps).toMatchObject([{ step: 'cancelShipment', lastFailure }]);
    });
    expect(await decide(orderId, { step: 'cancelShipment', decision: 'skip' })).toBe('started');
    await untilStatus(shop, orderId, 'cancelled');
  });

  test('a skipped cancellation of a shipment is not asked for again by a new run', async () => {
    const orderId = await lostWhileCancelling();
    const cancelShipment = vi.spyOn(shop.gateways.warehouse, 'cancelShipment');
    expect(await decide(orderId, { step: 'cancelShipment', decision: 'skip' })).toBe('started');
    await untilStatus(shop, orderId, 'cancelled');
    expect(cancelShipment).not.toHaveBeenCalled();
  });

  test('an order left without a decision is cancelled by a sweep shortly before its authorization expires', async () => {
    const orderId = await terminatedWhile(CAPTURE, 'reserved');
    await sweep(shop);
    shop.sandbox.faults.clear();
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ abandoned: 0 });
    const captureBefore = new Date(Date.now() + 3_600_000);
    await shop.db.payment.update({ where: { orderId }, data: { captureBefore } });
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ abandoned: 1 });
    await untilStatus(shop, orderId, 'cancelled');
    const { cancelReason } = await shop.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(cancelReason).toBe('authorization_expiring');
    await expectCleanSlate(shop, orderId);
    await eventually(() => expect(notificationsOf(shop, orderId)).toEqual(['cancelled']));
  });

  test('a manually captured order is not cancelled by a sweep although its authorization expired', async () => {
    const orderId = await terminatedWhile(CAPTURE, 'reserved');
    await recordManualCapture(orderId, 'capturePayment');
    await recordNeedsAttention(shop.db, orderId, { steps: ['shipOrder'], failure: 'no response' });
    await shop.db.payment.update({ where: { orderId }, data: { captureBefore: new Date(0) } });
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ abandoned: 0 });
    expect(await findCheckoutProgress(shop.db, orderId)).toMatchObject({
      from: 'paid',
      cancelReason: null,
    });
    expect(await decide(orderId, { step: 'shipOrder', decision: 'cancel' })).toBe('started');
    const step = 'voidOrRefundPayment';
    const lastFailure = 'void or refund: captured manually, and not at the provider';
    await eventually(async () => {
      const attention = await findAttention(shop.db, orderId);
      expect(attention?.steps).toMatchObject([{ step, lastFailure }]);
    });
    expect(effectsOf(shop, orderId)).toEqual({ authorize: 1, reserve: 1, release: 1 });
    expect(await decide(orderId, { step, decision: 'skip' })).toBe('started');
    await untilStatus(shop, orderId, 'cancelled');
  });

  test('a manual shipment decided after the parcel left ends with one shipment by the warehouse', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'answer_lost' });
    const { orderId } = await shop.order();
    await untilStatus(shop, orderId, 'paid');
    await untilNotified(orderId);
    await eventually(async () => {
      const parcel = { correlationId: shipmentCorrelationId(orderId) };
      expect((await shop.gateways.warehouse.lookUpShipment(parcel)).kind).toBe('shipped');
    });
    await shop.checkoutOf(orderId).terminate('terminated by a test');
    await recordNeedsAttention(shop.db, orderId, { steps: ['shipOrder'], failure: 'no response' });
    expect(await decide(orderId, { step: 'shipOrder', decision: 'skip' })).toBe('started');
    await untilStatus(shop, orderId, 'shipped');
    const { carrier } = await shop.db.shipment.findUniqueOrThrow({ where: { orderId } });
    expect(carrier).toBe('Sandbox Parcel');
    await expectShipped(shop, orderId);
  });

  test('an order is charged and shipped once when a sweep and a start race for it', async () => {
    const start = await orderWithoutWorkflow(shop);
    const { orderId } = start;
    await age(shop, orderId);
    const [first] = await Promise.all([sweep(shop), shop.services.checkouts.start(start)]);
    expect(first.failed).toEqual([]);
    await untilStatus(shop, orderId, 'shipped');
    await expectShipped(shop, orderId);
  });
});

describe('a stuck order', () => {
  test('a sweep does not restart an idle order whose workflow is running', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'fail_before' });
    const { orderId } = await shop.order();
    await untilNotified(orderId);
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ explained: 1, escalated: 0, restarted: 0 });
    shop.sandbox.faults.clear();
    await untilStatus(shop, orderId, 'shipped');
  });

  test('an order whose workflow task keeps failing needs attention and recovers with the next deployment', async () => {
    await deploy(shop, 'broken');
    const start = await shop.order();
    const { orderId } = start;
    await startWithShortTasks(shop, CHECKOUT_WORKFLOW, checkoutStartOptions(start));
    await eventually(async () => {
      expect((await shop.services.checkouts.inspect(orderId)).kind).toBe('failing');
    });
    await age(shop, orderId);
    expect((await sweep(shop)).counts).toMatchObject({ escalated: 1 });
    expect((await findAttention(shop.db, orderId))?.steps).toMatchObject([
      { step: 'checkout', lastFailure: 'the workflow task keeps failing' },
    ]);
    await deploy(shop, 'ours');
    await untilStatus(shop, orderId, 'shipped');
    await shop.db.order.update({ where: { id: orderId }, data: { updatedAt: new Date(0) } });
    await sweep(shop);
    expect(await openDeadLetters(orderId)).toBe(0);
    await expectShipped(shop, orderId);
  });
});

test('one sweep purges 2,500 expired inbox messages', async () => {
  await shop.db.$executeRaw`
    INSERT INTO inbox (source, id, type, payload, processed_at)
    SELECT 'payments', 'old_' || n, 't', '{}', now() - interval '1 year' FROM generate_series(1, 2500) n`;
  expect((await sweep(shop)).counts['purged']).toBeGreaterThanOrEqual(2_500);
  expect(await shop.db.inboxMessage.count({ where: { id: { startsWith: 'old_' } } })).toBe(0);
});

describe('an abandoned pending order', () => {
  const LOOKUP = { provider: 'payments', operation: 'lookup' } as const;

  test('an abandoned pending order is expired by a sweep and its authorization is voided', async () => {
    const left = await leavePending(1);
    expect((await sweep(shop)).counts).toMatchObject({ expired: 1 });
    for (const id of left) {
      const { status } = await shop.db.order.findUniqueOrThrow({ where: { id } });
      expect(status).toBe('expired');
      expect(effectsOf(shop, id)).toEqual({ authorize: 1, void: 1 });
    }
  });

  test('a failed look-up does not stop a sweep from expiring the other pending orders', async () => {
    await leavePending(3);
    shop.sandbox.faults.set(LOOKUP, { mode: 'fail_before', times: 1 });
    expect((await sweep(shop)).counts).toMatchObject({ expired: 2, undecided: 1 });
    expect((await sweep(shop)).counts).toMatchObject({ expired: 1, undecided: 0 });
  });

  test('a sweep stops after three failed look-ups, and a later one expires all pending orders', async () => {
    await leavePending(5);
    shop.sandbox.faults.set(LOOKUP, { mode: 'fail_before' });
    expect((await sweep(shop)).counts).toMatchObject({ expired: 0, undecided: 3 });
    expect(shop.sandbox.faults.list()[0]?.fired).toBe(3);
    shop.sandbox.faults.clear();
    expect((await sweep(shop)).counts).toMatchObject({ expired: 5 });
  });

  async function leavePending(count: number): Promise<readonly OrderId[]> {
    const left: OrderId[] = [];
    for (let n = 0; n < count; n += 1) {
      const opened = await openOrder(shop.db, claimOf(), draftOf());
      if (opened.kind !== 'opened') throw new Error(opened.kind);
      const { id: orderId, totalMinor: amountMinor, currency } = opened.order;
      await shop.gateways.payments.authorize({
        key: providerKey(orderId, 'authorize'),
        orderId,
        amount: { amountMinor, currency },
        paymentMethod: 'pm_card_visa',
      });
      await shop.db.order.update({ where: { id: orderId }, data: { deadlineAt: new Date(0) } });
      left.push(orderId);
    }
    return left;
  }
});

async function terminatedWhile(
  place: typeof SHIP | typeof CAPTURE,
  status: 'paid' | 'reserved',
): Promise<OrderId> {
  shop.sandbox.faults.set(place, { mode: 'fail_before' });
  const { orderId } = await shop.order();
  await untilStatus(shop, orderId, status);
  if (status === 'paid') await untilNotified(orderId);
  await shop.checkoutOf(orderId).terminate('terminated by a test');
  await age(shop, orderId);
  return orderId;
}

/** Its parcel has left, its payment is back, and its workflow is gone while a person is asked. */
async function lostWhileCancelling(): Promise<OrderId> {
  const rejection = new ProviderRejection('warehouse', 'test');
  vi.spyOn(shop.gateways.warehouse, 'cancelShipment').mockRejectedValue(rejection);
  shop.sandbox.faults.set(SHIP, { mode: 'answer_lost' });
  const { orderId } = await shop.order();
  await eventually(() => expect(effectsOf(shop, orderId)['ship']).toBe(1));
  await shop.checkoutOf(orderId).cancel();
  await untilStatus(shop, orderId, 'needs_attention');
  await shop.checkoutOf(orderId).terminate('terminated by a test');
  shop.sandbox.faults.clear();
  vi.restoreAllMocks();
  return orderId;
}

/** What a workflow records when an operator skips the step because it was done manually. */
async function recordManualCapture(orderId: OrderId, step: string): Promise<void> {
  await recordNeedsAttention(shop.db, orderId, { steps: [step], failure: 'no response' });
  const decided = { step, decision: 'skip', note: 'captured in the dashboard', actor: 'op' };
  await recordResolved(shop.db, orderId, { ...decided, resumes: 'paid' });
}

function decide(orderId: OrderId, decided: Pick<Resolution, 'step' | 'decision'>) {
  return resolveStep(shop.services, orderId, { ...decided, note: 'looked into it', actor: 'op' });
}

/** The order is idle after that. A mail that was sent and not recorded would be sent again. */
async function untilNotified(orderId: OrderId): Promise<void> {
  const where = { orderId, type: 'order.customer_notified' };
  await eventually(async () => expect(await shop.db.event.count({ where })).toBe(1));
}

function openDeadLetters(orderId: OrderId): Promise<number> {
  return shop.db.deadLetter.count({ where: { orderId, status: { in: ['open', 'redriven'] } } });
}
