import { describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { SHORT_DEADLINE, callUntilFaultFires, newOrderId } from './provider.ts';
import { authorization, effectsAt, gatewayTo, held, useSandbox } from './stripe-sandbox.ts';

const DAY_MS = 86_400_000;

const sandbox = useSandbox();

const gatewayOf = (changes?: Partial<CallLimits>) => gatewayTo(sandbox, changes);
const effectsOf = (orderId: OrderId) => effectsAt(sandbox, orderId);
const stateOf = (gateway: PaymentGateway, name: string) =>
  gateway.breakers().find((view) => view.name === name)?.state;

describe('authorize', () => {
  test('a repeated authorization under one key holds the money once', async () => {
    const gateway = gatewayOf();
    const orderId = newOrderId();
    const first = await gateway.authorize(authorization(orderId));
    expect(first).toEqual({
      kind: 'authorized',
      reference: expect.stringMatching(/^pi_/),
      captureBefore: expect.stringMatching(/Z$/),
    });
    expect(await gateway.authorize(authorization(orderId))).toEqual(first);
    expect(effectsOf(orderId)).toEqual(['authorize']);
  });

  test('a decline carries the provider’s code and never opens the breaker', async () => {
    const gateway = gatewayOf({ breakAfter: 2 });
    for (let i = 0; i < 6; i += 1) {
      const declined = authorization(newOrderId(), 'pm_card_chargeDeclinedInsufficientFunds');
      expect(await gateway.authorize(declined)).toEqual({
        kind: 'declined',
        code: 'insufficient_funds',
        reference: expect.stringMatching(/^pi_/),
      });
    }
    expect(stateOf(gateway, 'payments.authorize')).toBe('closed');
  });

  test('an authorization with an unknown payment method is declined', async () => {
    const outcome = await gatewayOf().authorize(authorization(newOrderId(), 'pm_nobody_knows'));
    expect(outcome).toEqual({ kind: 'declined', code: 'resource_missing', reference: null });
  });

  test('an authorize key reused for another amount returns unknown: the first request may have succeeded', async () => {
    const gateway = gatewayOf();
    const { orderId } = await held(gateway);
    const other = { ...authorization(orderId), amount: { amountMinor: 1, currency: 'EUR' } };
    const outcome = { kind: 'unknown', reason: expect.stringContaining('idempotency_key_reused') };
    expect(await gateway.authorize(other)).toEqual(outcome);
    expect(effectsOf(orderId)).toEqual(['authorize']);
  });

  test('wrong credentials are unavailable, with a reason that does not contain the API key', async () => {
    const gateway = createStripePayments({ apiKey: 'wrong_secret', apiUrl: sandbox.url });
    const reason = 'the payment provider refuses our credentials or account (http_401)';
    const outcome = await gateway.authorize(authorization(newOrderId()));
    expect(outcome).toMatchObject({ kind: 'unavailable', reason });
    expect(gateway.breakers()).toContainEqual(expect.objectContaining({ reason }));
  });

  test('two requests with one key at the same time get one authorization: the second waits for the first', async () => {
    const gateway = gatewayOf();
    const orderId = newOrderId();
    const place = { provider: 'payments', operation: 'authorize' } as const;
    sandbox.faults.set(place, { mode: 'latency', latency_ms: 300, times: 1 });
    const both = [1, 2].map(() => gateway.authorize(authorization(orderId)));
    const [first, second] = await Promise.all(both);
    expect(first).toMatchObject({ kind: 'authorized' });
    expect(second).toEqual(first);
    expect(effectsOf(orderId)).toEqual(['authorize']);
  });

  test('an authorization repeated after the provider purged its key creates no second hold', async () => {
    const gateway = gatewayOf();
    const orderId = newOrderId(new Date(Date.now() - 2 * DAY_MS));
    const first = await gateway.authorize(authorization(orderId));
    sandbox.clock.setOffset(2 * DAY_MS);
    try {
      expect(await gateway.authorize(authorization(orderId))).toEqual(first);
    } finally {
      sandbox.clock.setOffset(0);
    }
    expect(effectsOf(orderId)).toEqual(['authorize']);
  });
});

describe('an unknown authorization', () => {
  test.for([
    ['fail_before', 'the payment provider answered HTTP 500', []],
    ['down', /^connection|^no connection/, []],
    ['answer_lost', /^connection|^no connection/, ['authorize']],
  ] as const)(
    'authorize under fault %s returns unknown, and a retry with the same key authorizes once',
    async ([mode, reason, effects]) => {
      const gateway = gatewayOf();
      const orderId = newOrderId();
      sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode, times: 1 });
      const outcome = await gateway.authorize(authorization(orderId));
      expect(outcome).toMatchObject({ kind: 'unknown' });
      expect(outcome.kind === 'unknown' ? outcome.reason : '').toMatch(reason);
      expect(effectsOf(orderId)).toEqual(effects);
      expect(await gateway.authorize(authorization(orderId))).toMatchObject({ kind: 'authorized' });
      expect(effectsOf(orderId)).toEqual(['authorize']);
    },
  );

  test('authorize at a hanging provider returns unknown in bounded time', async () => {
    sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode: 'hang' });
    const gateway = gatewayOf(SHORT_DEADLINE);
    await callUntilFaultFires(sandbox.faults, async () => {
      const outcome = await gateway.authorize(authorization(newOrderId()));
      const reason = 'no answer from the payment provider in time';
      expect(outcome).toEqual({ kind: 'unknown', reason });
    });
  });

  test('authorize succeeds when the response is slow but within the deadline', async () => {
    const place = { provider: 'payments', operation: 'authorize' } as const;
    sandbox.faults.set(place, { mode: 'latency', latency_ms: 50 });
    const outcome = await gatewayOf().authorize(authorization(newOrderId()));
    expect(outcome.kind).toBe('authorized');
  });

  test('an authorization whose response was lost is found by its order id', async () => {
    const gateway = gatewayOf();
    const orderId = newOrderId();
    sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode: 'answer_lost' });
    await gateway.authorize(authorization(orderId));
    expect(await gateway.lookUp({ orderId, reference: null })).toMatchObject({
      kind: 'found',
      payment: { state: 'authorized', capturedMinor: 0, refundedMinor: 0, declineCode: null },
    });
  });

  test('a lookup of an order without an authorization returns absent', async () => {
    const outcome = await gatewayOf().lookUp({ orderId: newOrderId(), reference: null });
    expect(outcome).toEqual({ kind: 'absent' });
  });
});

describe('lookup', () => {
  test('a lookup returns what was captured, refunded, voided and declined', async () => {
    const gateway = gatewayOf();
    const paymentAt = async (orderId: OrderId, reference: string | null) => {
      const found = await gateway.lookUp({ orderId, reference });
      return found.kind === 'found' ? found.payment : found;
    };
    const paid = await held(gateway);
    await gateway.capture(paid.request('capture'));
    expect(await paymentAt(paid.orderId, paid.reference)).toMatchObject({
      state: 'captured',
      capturedMinor: 2_400,
      refundedMinor: 0,
    });
    const part = { amountMinor: 400, currency: 'EUR' };
    await gateway.refund({ ...paid.request('refund'), amount: part });
    expect(await paymentAt(paid.orderId, null)).toMatchObject({ refundedMinor: 400 });

    const voided = await held(gateway);
    await gateway.voidAuthorization(voided.request('void'));
    expect(await paymentAt(voided.orderId, voided.reference)).toMatchObject({ state: 'voided' });

    const declinedId = newOrderId();
    await gateway.authorize(authorization(declinedId, 'pm_card_chargeDeclinedExpiredCard'));
    expect(await paymentAt(declinedId, null)).toMatchObject({
      state: 'declined',
      declineCode: 'expired_card',
    });
  });

  test('a lookup of an unknown reference returns absent', async () => {
    const outcome = await gatewayOf().lookUp({ orderId: newOrderId(), reference: 'pi_none' });
    expect(outcome).toEqual({ kind: 'absent' });
  });

  test.for(['fail_before', 'down', 'answer_lost', 'hang'] as const)(
    'a lookup under fault %s returns unknown, never absent',
    async (mode) => {
      const gateway = gatewayOf(mode === 'hang' ? SHORT_DEADLINE : {});
      for (const reference of [null, 'pi_none']) {
        sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode });
        await callUntilFaultFires(sandbox.faults, async () => {
          const outcome = await gateway.lookUp({ orderId: newOrderId(), reference });
          expect(outcome).toMatchObject({ kind: 'unknown' });
        });
      }
    },
  );

  test('a lookup that the provider limits is unavailable, never absent', async () => {
    sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode: 'refuse' });
    const gateway = gatewayOf({ deadlineMs: 500 });
    const outcome = await gateway.lookUp({ orderId: newOrderId(), reference: null });
    expect(outcome).toMatchObject({ kind: 'unavailable' });
    expect(stateOf(gateway, 'payments.find')).toBe('closed');
  });
});
