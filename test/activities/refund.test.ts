import { describe, expect, test } from 'vitest';
import { syncRefunds } from '../../activities/provider-refunds.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { Refund } from '../../domain/refund.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { findRefund, listRefunds } from '../../prisma/payments/refunds.ts';
import { effectsOf } from '../support/expectations.ts';
import { refundInDashboard } from '../support/provider-refunds.ts';
import { acceptRefund } from '../support/refunding.ts';
import { useSteps } from './steps.ts';

const HOUR_MS = 3_600_000;
const REFUND = { provider: 'payments', operation: 'refund' } as const;

const steps = useSteps();

const paid = (): Promise<OrderId> => steps.orderAfter('reserveStock', 'capturePayment');
const refOf = ({ id, orderId }: Refund) => ({ refundId: id, orderId });
const paymentOf = (orderId: OrderId) => steps.db.payment.findUniqueOrThrow({ where: { orderId } });

/** The activities of a process that crashes before or after the provider call. */
function crashing(when: 'before' | 'after') {
  const { payments } = steps.gateways;
  const gateway: PaymentGateway = {
    ...payments,
    async refund(request) {
      if (when === 'after') await payments.refund(request);
      throw new Error('the process crashed');
    },
  };
  return steps.replacing({ payments: gateway });
}

describe('a refund', () => {
  test.each(['before', 'after'] as const)(
    'a refund whose process crashed %s the provider call is repeated and moves the money once',
    async (when) => {
      const refund = await acceptRefund(steps.db, await paid(), 900);
      await crashing(when).runFailing('refundPayment', refOf(refund));
      expect((await findRefund(steps.db, refund.id))?.status).toBe('requested');
      const outcome = await steps.run('refundPayment', refOf(refund));
      expect(outcome).toEqual({ kind: 'refunded', amountMinor: 900 });
      expect(effectsOf(steps, refund.orderId)['refund']).toBe(1);
    },
  );

  test('a refund repeated after its outcome was recorded makes no refund call', async () => {
    const refund = await acceptRefund(steps.db, await paid());
    const first = await steps.run('refundPayment', refOf(refund));
    steps.sandbox.faults.set(REFUND, { mode: 'latency', latency_ms: 0 });
    expect(await steps.run('refundPayment', refOf(refund))).toEqual(first);
    expect(steps.sandbox.faults.list()[0]?.fired).toBe(0);
  });

  test('concurrent attempts of one refund move the money once and record one event', async () => {
    const refund = await acceptRefund(steps.db, await paid());
    await Promise.allSettled([1, 2, 3].map(() => steps.run('refundPayment', refOf(refund))));
    await steps.run('refundPayment', refOf(refund));
    expect(effectsOf(steps, refund.orderId)['refund']).toBe(1);
    const where = { orderId: refund.orderId, type: 'refund.succeeded' };
    expect(await steps.db.event.count({ where })).toBe(1);
  });

  test('a refund whose response was lost is not repeated after its key expired', async () => {
    const refund = await acceptRefund(steps.db, await paid());
    steps.sandbox.faults.set(REFUND, { mode: 'answer_lost', times: 1 });
    await steps.runFailing('refundPayment', refOf(refund));
    steps.sandbox.clock.setOffset(25 * HOUR_MS);
    await steps.run('refundPayment', refOf(refund));
    expect(effectsOf(steps, refund.orderId)['refund']).toBe(1);
  });

  test('a refund that needs attention publishes one event per failed attempt despite repeated recording', async () => {
    const refund = await acceptRefund(steps.db, await paid());
    const { orderId } = refund;
    const where = { orderId, type: 'refund.needs_attention' };
    steps.sandbox.faults.set(REFUND, { mode: 'down' });
    for (const attempts of [1, 2]) {
      await steps.runFailing('refundPayment', refOf(refund));
      for (const _ of ['written', 'and again by a process that took over']) {
        await steps.run('recordRefundNeedsAttention', { ...refOf(refund), failure: 'no answer' });
      }
      expect(await steps.db.event.count({ where })).toBe(attempts);
      expect(await steps.db.deadLetter.findMany({ where: { orderId } })).toMatchObject([
        { status: 'open', retryCount: attempts },
      ]);
    }
  });

  test('a refused refund returns the same refusal when it is repeated', async () => {
    const refund = await acceptRefund(steps.db, await paid());
    steps.sandbox.faults.set(REFUND, { mode: 'refuse', times: 1 });
    const refused = { kind: 'refused', code: 'insufficient_funds' };
    for (const _ of [1, 2]) {
      expect(await steps.run('refundPayment', refOf(refund))).toEqual(refused);
    }
  });
});

describe('a compensation after refund requests', () => {
  test('a compensation after partial refunds refunds exactly the rest of the captured amount', async () => {
    const orderId = await paid();
    const done = await acceptRefund(steps.db, orderId, 500);
    await steps.run('refundPayment', refOf(done));
    await acceptRefund(steps.db, orderId, 700);
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    const outcome = await steps.run('voidOrRefundPayment', { orderId });
    expect(outcome).toEqual({ kind: 'refunded', amountMinor: 1_200 });
    const refunds = await listRefunds(steps.db, orderId);
    expect(refunds.map(({ amountMinor, status }) => [amountMinor, status])).toEqual([
      [500, 'succeeded'],
      [700, 'succeeded'],
      [1_200, 'succeeded'],
    ]);
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundedMinor: 2_400 });
    await steps.run('voidOrRefundPayment', { orderId });
    expect(effectsOf(steps, orderId)['refund']).toBe(3);
  });

  test('a compensation after a full refund request refunds the amount only once', async () => {
    const orderId = await paid();
    await acceptRefund(steps.db, orderId);
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    const outcome = await steps.run('voidOrRefundPayment', { orderId });
    expect(outcome).toEqual({ kind: 'refunded', amountMinor: 0 });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundedMinor: 2_400 });
    expect(effectsOf(steps, orderId)['refund']).toBe(1);
  });

  test('a compensation refunds the amount of a refused refund together with the rest', async () => {
    const orderId = await paid();
    await acceptRefund(steps.db, orderId, 700);
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.faults.set(REFUND, { mode: 'refuse', times: 1 });
    const outcome = await steps.run('voidOrRefundPayment', { orderId });
    expect(outcome).toEqual({ kind: 'refunded', amountMinor: 2_400 });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundingMinor: 0 });
  });

  test('a compensation whose refund is pending counts as done, and is refunded once the provider is sure', async () => {
    const { orderId } = await steps.order({ card: 'pm_card_pendingRefund' });
    for (const name of ['reserveStock', 'capturePayment'] as const)
      await steps.run(name, { orderId });
    const early = await acceptRefund(steps.db, orderId, 500);
    await steps.run('refundPayment', refOf(early));
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    for (const _ of ['first', 'and again by a process that took over']) {
      const outcome = await steps.run('voidOrRefundPayment', { orderId });
      expect(outcome).toEqual({ kind: 'refunded', amountMinor: 1_900 });
    }
    await steps.run('releaseStock', { orderId });
    await steps.run('recordCancelled', { orderId, reason: 'requested_by_customer' });
    const pending = { status: 'captured', refundedMinor: 0, refundingMinor: 2_400 };
    expect(await paymentOf(orderId)).toMatchObject(pending);
    expect(effectsOf(steps, orderId)['refund']).toBeUndefined();
    // Stripe's test card is sure after some time.
    steps.sandbox.clock.setOffset(HOUR_MS);
    for (const refund of await listRefunds(steps.db, orderId)) {
      const outcome = await steps.run('lookUpRefund', refOf(refund));
      expect(outcome).toMatchObject({ kind: 'refunded', amountMinor: refund.amountMinor });
    }
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundingMinor: 0 });
    expect(effectsOf(steps, orderId)['refund']).toBe(2);
  });

  test.each([
    ['a part', 1_000, 1_400],
    ['everything', 2_400, 0],
  ])(
    'a compensation after %s was refunded in the dashboard refunds only the rest',
    async (_, amount, rest) => {
      const orderId = await paid();
      const { providerReference } = await paymentOf(orderId);
      await refundInDashboard(steps, providerReference, { amount });
      await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
      const outcome = await steps.run('voidOrRefundPayment', { orderId });
      expect(outcome).toEqual({ kind: 'refunded', amountMinor: rest });
      expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundedMinor: 2_400 });
      const refunds = await listRefunds(steps.db, orderId);
      expect(refunds[0]).toMatchObject({ cause: 'provider', amountMinor: amount });
    },
  );

  test('a compensation whose claimed rest is refunded in the dashboard meanwhile ends refunded', async () => {
    const orderId = await paid();
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.faults.set(REFUND, { mode: 'fail_before', times: 1 });
    await steps.runFailing('voidOrRefundPayment', { orderId });
    const { providerReference } = await paymentOf(orderId);
    await refundInDashboard(steps, providerReference);
    await steps.run('voidOrRefundPayment', { orderId });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundingMinor: 0 });
    expect(effectsOf(steps, orderId)['refund']).toBe(1);
  });

  test('a compensation whose claimed rest is refunded in part in the dashboard meanwhile refunds what is left', async () => {
    const orderId = await paid();
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.faults.set(REFUND, { mode: 'fail_before', times: 2 });
    await steps.runFailing('voidOrRefundPayment', { orderId });
    const { providerReference } = await paymentOf(orderId);
    await refundInDashboard(steps, providerReference, { amount: 1_000 });
    await steps.runFailing('voidOrRefundPayment', { orderId });
    for (const _ of ['first', 'and again by a process that took over']) {
      const outcome = await steps.run('voidOrRefundPayment', { orderId });
      expect(outcome).toEqual({ kind: 'refunded', amountMinor: 1_400 });
    }
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundedMinor: 2_400 });
    const refunds = await listRefunds(steps.db, orderId);
    expect(refunds.map(({ key, amountMinor, status }) => [key, amountMinor, status])).toEqual([
      [`${orderId}/refund`, 2_400, 'failed'],
      [expect.stringMatching(/^external/), 1_000, 'succeeded'],
      [`${orderId}/refund/rest2`, 1_400, 'succeeded'],
    ]);
    expect(effectsOf(steps, orderId)['refund']).toBe(2);
  });

  test('a compensation whose refund was refused claims no money while a person is asked, and is repeated', async () => {
    const orderId = await paid();
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.faults.set(REFUND, { mode: 'refuse', times: 1 });
    const failure = await steps.runFailing('voidOrRefundPayment', { orderId });
    expect(failure).toMatchObject({ type: 'provider_rejected_request', nonRetryable: true });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'captured', refundingMinor: 0 });
    const outcome = await steps.run('voidOrRefundPayment', { orderId });
    expect(outcome).toEqual({ kind: 'refunded', amountMinor: 2_400 });
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundedMinor: 2_400 });
  });

  test('a refund that the provider made although an operator skipped it is recorded', async () => {
    const orderId = await paid();
    const step = 'voidOrRefundPayment';
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.faults.set(REFUND, { mode: 'answer_lost', times: 1 });
    await steps.runFailing(step, { orderId });
    await steps.run('recordNeedsAttention', { orderId, steps: [step], failure: 'no answer' });
    const decided = { decision: 'skip', note: 'paid by transfer', actor: 'op' } as const;
    await steps.run('recordResolved', { orderId, step, ...decided, resumes: 'cancelling' });
    const { providerReference } = await paymentOf(orderId);
    for (const _ of ['once', 'and again by a process that took over']) {
      await syncRefunds({ db: steps.db, ...steps.gateways }, providerReference ?? '');
    }
    expect(await paymentOf(orderId)).toMatchObject({ status: 'refunded', refundingMinor: 0 });
    const refunds = await listRefunds(steps.db, orderId);
    expect(refunds.map(({ cause, status }) => [cause, status])).toEqual([
      ['order_cancelled', 'failed'],
      ['provider', 'succeeded'],
    ]);
  });

  test('a skipped compensation makes no refund, also in a run that does not know of the skip', async () => {
    const orderId = await paid();
    const step = 'voidOrRefundPayment';
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.faults.set(REFUND, { mode: 'refuse', times: 1 });
    await steps.runFailing(step, { orderId });
    await steps.run('recordNeedsAttention', { orderId, steps: [step], failure: 'refused' });
    const decided = { decision: 'skip', note: 'paid by transfer', actor: 'op' } as const;
    await steps.run('recordResolved', { orderId, step, ...decided, resumes: 'cancelling' });
    expect(await steps.run(step, { orderId })).toEqual({ kind: 'refunded', amountMinor: 0 });
    expect(effectsOf(steps, orderId)['refund']).toBeUndefined();
  });

  test('a compensation after a refund whose response was lost refunds only the rest', async () => {
    const orderId = await paid();
    const refund = await acceptRefund(steps.db, orderId, 700);
    steps.sandbox.faults.set(REFUND, { mode: 'answer_lost', times: 1 });
    await steps.runFailing('refundPayment', refOf(refund));
    await steps.run('recordCancelling', { orderId, reason: 'requested_by_customer' });
    steps.sandbox.clock.setOffset(25 * HOUR_MS);
    expect(await steps.run('voidOrRefundPayment', { orderId })).toEqual({
      kind: 'refunded',
      amountMinor: 1_700,
    });
    expect(effectsOf(steps, orderId)['refund']).toBe(2);
  });
});
