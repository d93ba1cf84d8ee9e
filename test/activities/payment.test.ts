import { describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Place } from '../../local/sandbox/faults.ts';
import { canaryOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf } from '../support/expectations.ts';
import { placedOrder } from '../support/orders.ts';
import { useSteps } from './steps.ts';

const HOUR_MS = 3_600_000;
const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const VOID = { provider: 'payments', operation: 'void' } as const;
const REFUND = { provider: 'payments', operation: 'refund' } as const;
const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;

const steps = useSteps();

describe('an intent', () => {
  test.each([
    { name: 'capturePayment', place: CAPTURE, after: ['reserveStock'] },
    { name: 'voidOrRefundPayment', place: VOID, after: ['reserveStock'] },
    { name: 'voidOrRefundPayment', place: REFUND, after: ['reserveStock', 'capturePayment'] },
  ] as const)('the $place.operation intent is recorded before any response', async (each) => {
    const orderId = await steps.orderAfter(...each.after);
    steps.sandbox.faults.set(each.place, { mode: 'hang' });
    const attempt = steps.withShortDeadlines.runFailing(each.name, { orderId });
    await eventually(() => expect(firedAt(each.place)).toBe(1));
    // The provider has the call and has not responded; the intent is recorded.
    const written = await operationsOf(orderId, each.place.operation);
    expect(written).toEqual([`${orderId}/${each.place.operation} requested`]);
    await attempt;
    steps.sandbox.faults.clear();
    await steps.run(each.name, { orderId });
    expect(await operationsOf(orderId, each.place.operation)).toEqual([
      `${orderId}/${each.place.operation} requested`,
      `${orderId}/${each.place.operation} succeeded`,
    ]);
  });

  test('a capture with a recorded intent is not repeated before a look-up has succeeded', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'down', times: 1 });
    await steps.runFailing('capturePayment', { orderId });
    steps.sandbox.faults.set(CAPTURE, { mode: 'latency', latency_ms: 0 });
    steps.sandbox.faults.set(LOOK_UP, { mode: 'down', times: 1 });
    await steps.runFailing('capturePayment', { orderId });
    expect(firedAt(CAPTURE)).toBe(0);
    await steps.run('capturePayment', { orderId });
    expect(firedAt(CAPTURE)).toBe(1);
    expect(effectsOf(steps, orderId)['capture']).toBe(1);
  });
});

describe('a review that began with the authorization', () => {
  test.each(['answered', 'lost'])(
    'a capture whose response is %s records it, and holds the shipment before any webhook',
    async (response) => {
      const body = { ...canaryOrder(), payment_method: 'pm_card_riskLevelElevated' };
      const orderId = await placedOrder(steps, body);
      await steps.run('reserveStock', { orderId });
      if (response === 'lost') {
        steps.sandbox.faults.set(CAPTURE, { mode: 'answer_lost', times: 1 });
        await steps.runFailing('capturePayment', { orderId });
      }
      await steps.run('capturePayment', { orderId });
      const cases = await steps.db.paymentCase.findMany({ where: { orderId } });
      expect(cases).toMatchObject([{ kind: 'review', isOpen: true }]);
      const held = await steps.run('requestShipment', { orderId });
      expect(held).toMatchObject({ kind: 'held', cases: [`review ${cases[0]?.id}`] });
      expect(effectsOf(steps, orderId)).toEqual({ authorize: 1, reserve: 1, capture: 1 });
    },
  );
});

describe('an idempotency key that expired at the provider', () => {
  test('a capture whose response was lost is looked up after its key expired and not repeated', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'answer_lost', times: 1 });
    await steps.runFailing('capturePayment', { orderId });
    steps.sandbox.clock.setOffset(25 * HOUR_MS);
    steps.sandbox.faults.set(CAPTURE, { mode: 'latency', latency_ms: 0 });
    steps.sandbox.faults.set(LOOK_UP, { mode: 'latency', latency_ms: 0 });
    const outcome = await steps.run('capturePayment', { orderId });
    expect(outcome).toEqual({ kind: 'captured', amountMinor: 2400 });
    expect([firedAt(LOOK_UP), firedAt(CAPTURE)]).toEqual([1, 0]);
    expect(effectsOf(steps, orderId)['capture']).toBe(1);
  });

  test('a capture that never arrived is taken once after its key expired', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'fail_before', times: 1 });
    await steps.runFailing('capturePayment', { orderId });
    steps.sandbox.clock.setOffset(25 * HOUR_MS);
    await steps.run('capturePayment', { orderId });
    await steps.run('capturePayment', { orderId });
    expect(effectsOf(steps, orderId)['capture']).toBe(1);
  });

  test.each([
    { operation: 'void', place: VOID, after: ['reserveStock'] },
    { operation: 'refund', place: REFUND, after: ['reserveStock', 'capturePayment'] },
  ] as const)(
    'a $operation whose response was lost takes effect once although its key expired',
    async ({ operation, place, after }) => {
      const orderId = await steps.orderAfter(...after);
      steps.sandbox.faults.set(place, { mode: 'answer_lost', times: 1 });
      await steps.runFailing('voidOrRefundPayment', { orderId });
      steps.sandbox.clock.setOffset(25 * HOUR_MS);
      await steps.run('voidOrRefundPayment', { orderId });
      steps.sandbox.clock.setOffset(50 * HOUR_MS);
      await steps.run('voidOrRefundPayment', { orderId });
      expect(effectsOf(steps, orderId)[operation]).toBe(1);
    },
  );
});

describe('an expired authorization', () => {
  test('a capture of an expired authorization returns a refusal and takes nothing', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.clock.setOffset(8 * 24 * HOUR_MS);
    expect(await steps.run('capturePayment', { orderId })).toEqual({
      kind: 'refused',
      code: 'authorization_expired_or_voided',
    });
    expect(effectsOf(steps, orderId)['capture']).toBeUndefined();
  });

  test('a void of an expired authorization succeeds without an effect at the provider', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.clock.setOffset(8 * 24 * HOUR_MS);
    expect(await steps.run('voidOrRefundPayment', { orderId })).toEqual({ kind: 'voided' });
    expect(effectsOf(steps, orderId)['void']).toBeUndefined();
  });
});

describe('a compensation of the payment', () => {
  test('a compensation refunds a capture whose response was lost', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'answer_lost' });
    await steps.runFailing('capturePayment', { orderId });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'authorized', capturedMinor: 0 });
    const outcome = await steps.run('voidOrRefundPayment', { orderId });
    expect(outcome).toEqual({ kind: 'refunded', amountMinor: 2400 });
    expect(await paymentOf(orderId)).toMatchObject({
      status: 'refunded',
      capturedMinor: 2400,
      refundedMinor: 2400,
    });
    expect(effectsOf(steps, orderId)).toMatchObject({ capture: 1, refund: 1 });
  });

  test('a capture that arrives after the void is refused and takes nothing', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    steps.sandbox.faults.set(CAPTURE, { mode: 'down', times: 1 });
    await steps.runFailing('capturePayment', { orderId });
    await steps.run('voidOrRefundPayment', { orderId });
    expect(await steps.run('capturePayment', { orderId })).toMatchObject({ kind: 'refused' });
    expect(effectsOf(steps, orderId)['capture']).toBeUndefined();
  });

  test('a capture of a cancelling order is recorded, fails its step permanently and is refunded', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    const failure = await steps.runFailing('capturePayment', { orderId });
    expect(failure).toMatchObject({ type: 'order_cancelling', nonRetryable: true });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'captured' });
    await steps.run('voidOrRefundPayment', { orderId });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded' });
    expect(effectsOf(steps, orderId)).toMatchObject({ capture: 1, refund: 1 });
  });
});

describe('a manual capture', () => {
  test('a manually captured order that needs attention at a later step has no hold deadline', async () => {
    const orderId = await capturedManually();
    const waiting = { orderId, steps: ['shipOrder'], failure: 'no answer' };
    expect(await steps.run('recordNeedsAttention', waiting)).toEqual({
      authorizationLeftAtStartMs: null,
      deadLetters: { shipOrder: expect.stringMatching(/^dl_/) },
    });
  });

  test('a compensation finds a manual capture at the provider, records it and refunds it', async () => {
    const orderId = await capturedManually();
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
    ['while the authorization holds', 0],
    ['after the authorization expired', 8 * 24 * HOUR_MS],
  ])(
    'a compensation of a manual capture outside the provider %s fails permanently and voids nothing',
    async (_when, offsetMs) => {
      const orderId = await capturedManually();
      steps.sandbox.clock.setOffset(offsetMs);
      const failure = await steps.runFailing('voidOrRefundPayment', { orderId });
      expect(failure).toMatchObject({ type: 'captured_manually', nonRetryable: true });
      expect(effectsOf(steps, orderId)['void']).toBeUndefined();
      expect(await paymentOf(orderId)).toMatchObject({
        status: 'authorized',
        capturedManually: true,
      });
    },
  );
});

/** The capture failed for good, and a person settled it. */
async function capturedManually(): Promise<OrderId> {
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

async function operationsOf(
  orderId: OrderId,
  kind: 'capture' | 'void' | 'refund',
): Promise<string[]> {
  const rows = await steps.db.paymentOperation.findMany({
    where: { orderId, kind },
    orderBy: { id: 'asc' },
  });
  return rows.map(({ key, state }) => `${key} ${state}`);
}

function paymentOf(orderId: OrderId) {
  return steps.db.payment.findUniqueOrThrow({ where: { orderId } });
}
