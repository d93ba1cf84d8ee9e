import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Place } from '../../local/sandbox/faults.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf } from '../support/expectations.ts';
import { createSteps, type Steps } from './steps.ts';

const HOUR_MS = 3_600_000;
const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const VOID = { provider: 'payments', operation: 'void' } as const;
const REFUND = { provider: 'payments', operation: 'refund' } as const;
const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;

let steps: Steps;
beforeAll(async () => {
  steps = await createSteps();
});
afterEach(() => {
  steps.sandbox.faults.clear();
  steps.sandbox.clock.setOffset(0);
});
afterAll(() => steps.close());

describe('an intent', () => {
  test.each([
    { name: 'capturePayment', place: CAPTURE, after: ['reserveStock'] },
    { name: 'voidOrRefundPayment', place: VOID, after: ['reserveStock'] },
    { name: 'voidOrRefundPayment', place: REFUND, after: ['reserveStock', 'capturePayment'] },
  ] as const)('$place.operation is written down before the provider hears of it', async (each) => {
    const orderId = await steps.orderAfter(...each.after);
    steps.sandbox.faults.set(each.place, { mode: 'hang' });
    const trying = steps.failing(each.name, { orderId });
    await eventually(() => expect(firedAt(each.place)).toBe(1));
    // The provider has the call and has not answered; the books know of it already.
    const written = await operationsOf(orderId, each.place.operation);
    expect(written).toEqual([`${orderId}/${each.place.operation} requested`]);
    await trying;
    steps.sandbox.faults.clear();
    await steps.run(each.name, { orderId });
    expect(await operationsOf(orderId, each.place.operation)).toEqual([
      `${orderId}/${each.place.operation} requested`,
      `${orderId}/${each.place.operation} succeeded`,
    ]);
  });

  test('to capture, once written, is never repeated before a look-up has answered', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'down', times: 1 });
    await steps.failing('capturePayment', { orderId });
    steps.sandbox.faults.set(CAPTURE, { mode: 'latency', latency_ms: 0 });
    steps.sandbox.faults.set(LOOK_UP, { mode: 'down', times: 1 });
    await steps.failing('capturePayment', { orderId });
    expect(firedAt(CAPTURE)).toBe(0);
    await steps.run('capturePayment', { orderId });
    expect(firedAt(CAPTURE)).toBe(1);
    expect(effectsOf(steps, orderId)['capture']).toBe(1);
  });
});

describe('a key the provider has forgotten, for it is older than 24 hours', () => {
  test('capture whose answer was lost: looked up, and not asked for again', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'answer_lost', times: 1 });
    await steps.failing('capturePayment', { orderId });
    steps.sandbox.clock.setOffset(25 * HOUR_MS);
    steps.sandbox.faults.set(CAPTURE, { mode: 'latency', latency_ms: 0 });
    steps.sandbox.faults.set(LOOK_UP, { mode: 'latency', latency_ms: 0 });
    const outcome = await steps.run('capturePayment', { orderId });
    expect(outcome).toEqual({ kind: 'captured', amountMinor: 2400 });
    expect([firedAt(LOOK_UP), firedAt(CAPTURE)]).toEqual([1, 0]);
    expect(effectsOf(steps, orderId)['capture']).toBe(1);
  });

  test('capture that never arrived: looked up, then taken once', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'fail_before', times: 1 });
    await steps.failing('capturePayment', { orderId });
    steps.sandbox.clock.setOffset(25 * HOUR_MS);
    await steps.run('capturePayment', { orderId });
    await steps.run('capturePayment', { orderId });
    expect(effectsOf(steps, orderId)['capture']).toBe(1);
  });

  test.each([
    { operation: 'void', place: VOID, after: ['reserveStock'] },
    { operation: 'refund', place: REFUND, after: ['reserveStock', 'capturePayment'] },
  ] as const)(
    '$operation whose answer was lost: done once',
    async ({ operation, place, after }) => {
      const orderId = await steps.orderAfter(...after);
      steps.sandbox.faults.set(place, { mode: 'answer_lost', times: 1 });
      await steps.failing('voidOrRefundPayment', { orderId });
      steps.sandbox.clock.setOffset(25 * HOUR_MS);
      await steps.run('voidOrRefundPayment', { orderId });
      steps.sandbox.clock.setOffset(50 * HOUR_MS);
      await steps.run('voidOrRefundPayment', { orderId });
      expect(effectsOf(steps, orderId)[operation]).toBe(1);
    },
  );
});

describe('an authorization that ran out after seven days', () => {
  test('cannot be captured: a business answer', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.clock.setOffset(8 * 24 * HOUR_MS);
    expect(await steps.run('capturePayment', { orderId })).toEqual({
      kind: 'refused',
      code: 'authorization_expired_or_voided',
    });
    expect(effectsOf(steps, orderId)['capture']).toBeUndefined();
  });

  test('holds nothing any more: voided without a call', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.clock.setOffset(8 * 24 * HOUR_MS);
    expect(await steps.run('voidOrRefundPayment', { orderId })).toEqual({ kind: 'voided' });
    expect(effectsOf(steps, orderId)['void']).toBeUndefined();
  });
});

describe('undoing the money', () => {
  test('of a capture nobody heard of: refunded, for the look-up knows', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'answer_lost' });
    await steps.failing('capturePayment', { orderId });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'authorized', capturedMinor: 0 });
    const undone = await steps.run('voidOrRefundPayment', { orderId });
    expect(undone).toEqual({ kind: 'refunded', amountMinor: 2400 });
    expect(await paymentOf(orderId)).toMatchObject({
      status: 'refunded',
      capturedMinor: 2400,
      refundedMinor: 2400,
    });
    expect(effectsOf(steps, orderId)).toMatchObject({ capture: 1, refund: 1 });
  });

  test('voided first: a capture that arrives late is refused and takes nothing', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'down', times: 1 });
    await steps.failing('capturePayment', { orderId });
    await steps.run('voidOrRefundPayment', { orderId });
    expect(await steps.run('capturePayment', { orderId })).toMatchObject({ kind: 'refused' });
    expect(effectsOf(steps, orderId)['capture']).toBeUndefined();
  });

  test('taken while the order turned round: written down, refused as a step, and given back', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    const failure = await steps.failing('capturePayment', { orderId });
    expect(failure).toMatchObject({ type: 'order_turned_round', nonRetryable: true });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'captured' });
    await steps.run('voidOrRefundPayment', { orderId });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded' });
    expect(effectsOf(steps, orderId)).toMatchObject({ capture: 1, refund: 1 });
  });
});

describe('money that a person captured', () => {
  test('is not held any more: no clock is set for an order that waits at a later step', async () => {
    const orderId = await capturedByHand();
    const waiting = { orderId, steps: ['shipOrder'], failure: 'no answer' };
    expect(await steps.run('recordNeedsAttention', waiting)).toEqual({ holdLeftAtStartMs: null });
  });

  test('at the provider: an undo finds it there, writes it down and gives it back', async () => {
    const orderId = await capturedByHand();
    const { providerReference } = await paymentOf(orderId);
    const outcome = await steps.gateways.payments.capture({
      key: `${orderId}/by-hand`,
      orderId,
      reference: providerReference ?? '',
      amount: { amountMinor: 2400, currency: 'EUR' },
    });
    expect(outcome.kind).toBe('done');
    expect(await steps.run('voidOrRefundPayment', { orderId })).toEqual({
      kind: 'refunded',
      amountMinor: 2400,
    });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', capturedMinor: 2400 });
  });

  test.each([
    ['while the provider still holds it', 0],
    ['when the hold has lapsed', 8 * 24 * HOUR_MS],
  ])('elsewhere is never taken as let go, %s: a person is asked', async (_when, offsetMs) => {
    const orderId = await capturedByHand();
    steps.sandbox.clock.setOffset(offsetMs);
    const failure = await steps.failing('voidOrRefundPayment', { orderId });
    expect(failure).toMatchObject({ type: 'captured_by_hand', nonRetryable: true });
    expect(effectsOf(steps, orderId)['void']).toBeUndefined();
    expect(await paymentOf(orderId)).toMatchObject({ status: 'authorized', capturedByHand: true });
  });
});

/** The capture failed for good, and a person settled it. */
async function capturedByHand(): Promise<OrderId> {
  const orderId = await steps.orderAfter('reserveStock');
  const step = 'capturePayment';
  await steps.run('recordNeedsAttention', { orderId, steps: [step], failure: 'no answer' });
  const decided = { decision: 'skip', note: 'paid in cash', actor: 'op', resumes: 'paid' } as const;
  await steps.run('recordResolved', { orderId, step, ...decided });
  return orderId;
}

function firedAt(place: Place): number {
  const armed = steps.sandbox.faults.list();
  return armed.find((fault) => fault.operation === place.operation)?.fired ?? 0;
}

async function operationsOf(orderId: OrderId, kind: string): Promise<string[]> {
  const rows = await steps.db.paymentOperation.findMany({
    where: { orderId, kind },
    orderBy: { id: 'asc' },
  });
  return rows.map(({ key, state }) => `${key} ${state}`);
}

function paymentOf(orderId: OrderId) {
  return steps.db.payment.findUniqueOrThrow({ where: { orderId } });
}
