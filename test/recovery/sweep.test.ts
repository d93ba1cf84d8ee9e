import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { resolveStep } from '../../api/resolve-step.ts';
import {
  checkoutWorkflowId,
  providerKey,
  shipmentCorrelationId,
  type OrderId,
} from '../../domain/ids.ts';
import { findAttention } from '../../prisma/attention.ts';
import { recordCancelling } from '../../prisma/fulfilment.ts';
import { recordNeedsAttention, recordResolved } from '../../prisma/parking.ts';
import { openOrder } from '../../prisma/placing.ts';
import { findBooks } from '../../prisma/stopped.ts';
import type { Resolution } from '../../workflows/contract.ts';
import { claimOf, draftOf } from '../prisma/shop.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped, noticesOf } from '../support/expectations.ts';
import { openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.sandbox.faults.clear());
afterAll(() => rig?.close());

const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const PATIENCE = { timeoutMs: 60_000, everyMs: 100 };

describe('an order whose workflow is gone', () => {
  test('an order whose workflow vanished is resumed by the next sweep, charged and shipped once', async () => {
    const { orderId } = await rig.place();
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ restarted: 1, parked: 0 });
    await rig.until(orderId, 'shipped');
    await expectShipped(rig, orderId);
  });

  test('a cancelling order whose workflow vanished is undone completely after the next sweep', async () => {
    const { orderId } = await rig.place();
    await recordCancelling(rig.db, orderId, { reason: 'requested_by_customer', request: null });
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ restarted: 1 });
    await rig.until(orderId, 'cancelled');
    await expectCleanSlate(rig, orderId);
  });

  test('an order whose workflow was terminated needs attention, and a retry ships it once', async () => {
    const orderId = await terminatedWhile(SHIP, 'paid');
    expect((await rig.sweep()).counts).toMatchObject({ parked: 1 });
    const attention = await findAttention(rig.db, orderId);
    expect(attention?.steps).toMatchObject([
      { step: 'checkout', lastFailure: 'the workflow was terminated' },
    ]);
    rig.sandbox.faults.clear();
    expect(await decide(orderId, { step: 'checkout', decision: 'retry' })).toBe('begun');
    await rig.until(orderId, 'shipped');
    await expectShipped(rig, orderId);
    await eventually(() => {
      expect(noticesOf(rig, orderId).toSorted()).toEqual(['confirmed', 'shipped']);
    }, PATIENCE);
    expect(await openLetters(orderId)).toBe(0);
  });

  test('an order whose workflow was terminated is undone when an operator decides to cancel', async () => {
    const orderId = await terminatedWhile(SHIP, 'paid');
    await rig.sweep();
    rig.sandbox.faults.clear();
    expect(await decide(orderId, { step: 'checkout', decision: 'cancel' })).toBe('begun');
    await rig.until(orderId, 'cancelled');
    await expectCleanSlate(rig, orderId);
  });

  test('an order left without a decision is cancelled by a sweep shortly before its authorization expires', async () => {
    const orderId = await terminatedWhile(CAPTURE, 'reserved');
    await rig.sweep();
    rig.sandbox.faults.clear();
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ given_up: 0 });
    const captureBefore = new Date(Date.now() + 3_600_000);
    await rig.db.payment.update({ where: { orderId }, data: { captureBefore } });
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ given_up: 1 });
    await rig.until(orderId, 'cancelled');
    const { cancelReason } = await rig.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(cancelReason).toBe('authorization_expiring');
    await expectCleanSlate(rig, orderId);
    await eventually(() => expect(noticesOf(rig, orderId)).toEqual(['cancelled']), PATIENCE);
  });

  test('a manually captured order is not cancelled by a sweep although its authorization expired', async () => {
    const orderId = await terminatedWhile(CAPTURE, 'reserved');
    await skipInTheBooks(orderId, 'capturePayment');
    await recordNeedsAttention(rig.db, orderId, { steps: ['shipOrder'], failure: 'no answer' });
    await rig.db.payment.update({ where: { orderId }, data: { captureBefore: new Date(0) } });
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ given_up: 0 });
    expect(await findBooks(rig.db, orderId)).toMatchObject({ from: 'paid', cancelReason: null });
    expect(await decide(orderId, { step: 'shipOrder', decision: 'cancel' })).toBe('begun');
    const step = 'voidOrRefundPayment';
    const lastFailure = 'void or refund: captured by hand, and not at the provider';
    await eventually(async () => {
      const attention = await findAttention(rig.db, orderId);
      expect(attention?.steps).toMatchObject([{ step, lastFailure }]);
    }, PATIENCE);
    expect(effectsOf(rig, orderId)).toEqual({ authorize: 1, reserve: 1, release: 1 });
    expect(await decide(orderId, { step, decision: 'skip' })).toBe('begun');
    await rig.until(orderId, 'cancelled');
  });

  test('a manual shipment decided after the parcel left ends with one shipment by the warehouse', async () => {
    rig.sandbox.faults.set(SHIP, { mode: 'answer_lost' });
    const { orderId } = await rig.start();
    await rig.until(orderId, 'paid');
    await untilConfirmed(orderId);
    await eventually(async () => {
      const parcel = { correlationId: shipmentCorrelationId(orderId) };
      expect((await rig.gateways.warehouse.lookUpShipment(parcel)).kind).toBe('shipped');
    }, PATIENCE);
    await rig.client.workflow.getHandle(checkoutWorkflowId(orderId)).terminate('by hand');
    await recordNeedsAttention(rig.db, orderId, { steps: ['shipOrder'], failure: 'no answer' });
    expect(await decide(orderId, { step: 'shipOrder', decision: 'skip' })).toBe('begun');
    await rig.until(orderId, 'shipped');
    const { carrier } = await rig.db.shipment.findUniqueOrThrow({ where: { orderId } });
    expect(carrier).toBe('Sandbox Parcel');
    await expectShipped(rig, orderId);
  });

  test('an order is charged and shipped once when a sweep and a start race for it', async () => {
    const { orderId } = await rig.place();
    await rig.age(orderId);
    const [first] = await Promise.all([rig.sweep(), rig.checkouts.start(await startOf(orderId))]);
    expect(first.failed).toEqual([]);
    await rig.until(orderId, 'shipped');
    await expectShipped(rig, orderId);
  });
});

describe('a stuck order', () => {
  test('a sweep does not restart an idle order whose workflow is running', async () => {
    rig.sandbox.faults.set(SHIP, { mode: 'fail_before' });
    const { orderId } = await rig.start();
    await untilConfirmed(orderId);
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ explained: 1, parked: 0, restarted: 0 });
    rig.sandbox.faults.clear();
    await rig.until(orderId, 'shipped');
  });

  test('an order whose workflow task keeps failing needs attention and recovers with the next deployment', async () => {
    await rig.runCheckouts('broken');
    const { orderId } = await rig.start();
    await eventually(async () => {
      expect((await rig.checkouts.inspect(orderId)).kind).toBe('failing');
    }, PATIENCE);
    await rig.age(orderId);
    expect((await rig.sweep()).counts).toMatchObject({ parked: 1 });
    expect((await findAttention(rig.db, orderId))?.steps).toMatchObject([
      { step: 'checkout', lastFailure: 'the workflow task fails again and again' },
    ]);
    await rig.runCheckouts('ours');
    await rig.until(orderId, 'shipped');
    await rig.db.order.update({ where: { id: orderId }, data: { updatedAt: new Date(0) } });
    await rig.sweep();
    expect(await openLetters(orderId)).toBe(0);
    await expectShipped(rig, orderId);
  });
});

test('one sweep purges 2,500 expired inbox messages', async () => {
  await rig.db.$executeRaw`
    INSERT INTO inbox (source, id, type, payload, processed_at)
    SELECT 'payments', 'old_' || n, 't', '{}', now() - interval '1 year' FROM generate_series(1, 2500) n`;
  expect((await rig.sweep()).counts['forgotten']).toBeGreaterThanOrEqual(2_500);
  expect(await rig.db.inboxMessage.count({ where: { id: { startsWith: 'old_' } } })).toBe(0);
});

describe('an abandoned pending order', () => {
  const LOOKUP = { provider: 'payments', operation: 'lookup' } as const;

  test('an abandoned pending order is expired by a sweep and its authorization is voided', async () => {
    const left = await leavePending(1);
    expect((await rig.sweep()).counts).toMatchObject({ expired: 1 });
    for (const id of left) {
      const { status } = await rig.db.order.findUniqueOrThrow({ where: { id } });
      expect(status).toBe('expired');
      expect(effectsOf(rig, id)).toEqual({ authorize: 1, void: 1 });
    }
  });

  test('a failed look-up does not stop a sweep from expiring the other pending orders', async () => {
    await leavePending(3);
    rig.sandbox.faults.set(LOOKUP, { mode: 'fail_before', times: 1 });
    expect((await rig.sweep()).counts).toMatchObject({ expired: 2, undecided: 1 });
    expect((await rig.sweep()).counts).toMatchObject({ expired: 1, undecided: 0 });
  });

  test('a sweep stops after three failed look-ups, and a later one expires all pending orders', async () => {
    await leavePending(5);
    rig.sandbox.faults.set(LOOKUP, { mode: 'fail_before' });
    expect((await rig.sweep()).counts).toMatchObject({ expired: 0, undecided: 3 });
    expect(rig.sandbox.faults.list()[0]?.fired).toBe(3);
    rig.sandbox.faults.clear();
    expect((await rig.sweep()).counts).toMatchObject({ expired: 5 });
  });

  async function leavePending(count: number): Promise<readonly OrderId[]> {
    const left: OrderId[] = [];
    for (let n = 0; n < count; n += 1) {
      const opened = await openOrder(rig.db, claimOf(), draftOf());
      if (opened.kind !== 'opened') throw new Error(opened.kind);
      const { id: orderId, totalMinor: amountMinor, currency } = opened.order;
      await rig.gateways.payments.authorize({
        key: providerKey(orderId, 'authorize'),
        orderId,
        amount: { amountMinor, currency },
        paymentMethod: 'pm_card_visa',
      });
      await rig.db.order.update({ where: { id: orderId }, data: { deadlineAt: new Date(0) } });
      left.push(orderId);
    }
    return left;
  }
});

async function terminatedWhile(
  place: typeof SHIP | typeof CAPTURE,
  status: 'paid' | 'reserved',
): Promise<OrderId> {
  rig.sandbox.faults.set(place, { mode: 'fail_before' });
  const { orderId } = await rig.start();
  await rig.until(orderId, status);
  if (status === 'paid') await untilConfirmed(orderId);
  await rig.client.workflow.getHandle(checkoutWorkflowId(orderId)).terminate('by hand');
  await rig.age(orderId);
  return orderId;
}

/** What a workflow writes that waits for a person and is told so. */
async function skipInTheBooks(orderId: OrderId, step: string): Promise<void> {
  await recordNeedsAttention(rig.db, orderId, { steps: [step], failure: 'no answer' });
  const decided = { step, decision: 'skip', note: 'done by hand', actor: 'op' };
  await recordResolved(rig.db, orderId, { ...decided, resumes: 'paid' });
}

function decide(orderId: OrderId, decided: Pick<Resolution, 'step' | 'decision'>) {
  return resolveStep(rig, orderId, { ...decided, note: 'looked into it', actor: 'op' });
}

async function startOf(orderId: OrderId) {
  const { totalMinor, currency, correlationId, traceparent } = await rig.db.order.findUniqueOrThrow(
    {
      where: { id: orderId },
    },
  );
  return { orderId, totalMinor, currency, correlationId, traceparent, skus: ['mug-white'] };
}

/** Nothing more happens to it then. A mail that was sent and not written down would be sent again. */
async function untilConfirmed(orderId: OrderId): Promise<void> {
  const where = { orderId, type: 'order.customer_notified' };
  await eventually(async () => expect(await rig.db.event.count({ where })).toBe(1), PATIENCE);
}

function openLetters(orderId: OrderId): Promise<number> {
  return rig.db.deadLetter.count({ where: { orderId, status: { in: ['open', 'redriven'] } } });
}
