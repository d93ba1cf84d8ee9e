import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import type { BreakerListener } from '../../gateways/resilience/outcome.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { advance } from '../support/clock.ts';
import {
  HALF_OPEN_AFTER_MS,
  SHORT_DEADLINE,
  callUntilFaultFires,
  newOrderId,
  quickLimits,
} from './provider.ts';
import { authorization, effectsAt, gatewayTo, held, useSandbox } from './stripe-sandbox.ts';

const DAY_MS = 86_400_000;

const sandbox = useSandbox();

const gatewayOf = (changes?: Partial<CallLimits>, onBreakerChange?: BreakerListener) =>
  gatewayTo(sandbox, changes, onBreakerChange);
const effectsOf = (orderId: OrderId) => effectsAt(sandbox, orderId);

describe('settling', () => {
  const OPERATIONS = ['capture', 'void', 'refund'] as const;
  type Operation = (typeof OPERATIONS)[number];

  function run(gateway: PaymentGateway, operation: Operation) {
    switch (operation) {
      case 'capture':
        return gateway.capture;
      case 'void':
        return gateway.voidAuthorization;
      case 'refund':
        return gateway.refund;
    }
  }

  async function readyFor(gateway: PaymentGateway, operation: Operation) {
    const order = await held(gateway);
    if (operation === 'refund') await gateway.capture(order.request('capture'));
    return { settle: run(gateway, operation), ...order };
  }

  const times = (orderId: OrderId, operation: Operation) =>
    effectsOf(orderId).filter((each) => each === operation).length;

  test.for(OPERATIONS)('a repeated %s under one key takes effect once', async (operation) => {
    const { settle, orderId, request } = await readyFor(gatewayOf(), operation);
    for (let i = 0; i < 3; i += 1) {
      expect(await settle(request(operation))).toMatchObject({ kind: 'done' });
    }
    expect(times(orderId, operation)).toBe(1);
  });

  test.for(OPERATIONS)(
    'a repeated %s takes effect once even after the provider purged its key',
    async (operation) => {
      const { settle, orderId, request } = await readyFor(gatewayOf(), operation);
      const part = { ...request(operation), amount: { amountMinor: 1_000, currency: 'EUR' } };
      expect(await settle(part)).toMatchObject({ kind: 'done' });
      sandbox.clock.setOffset(2 * DAY_MS);
      try {
        expect(await settle(part)).toMatchObject({ kind: 'done' });
      } finally {
        sandbox.clock.setOffset(0);
      }
      expect(times(orderId, operation)).toBe(1);
    },
  );

  const LOST = OPERATIONS.flatMap((operation) =>
    (['answer_lost', 'fail_before', 'down', 'hang'] as const).map(
      (mode) => [operation, mode] as const,
    ),
  );
  test.for(LOST)(
    'a %s under fault %s returns unknown, and a repeat takes effect once',
    async ([operation, mode]) => {
      const { orderId, request } = await readyFor(gatewayOf(), operation);
      const settle = run(gatewayOf(mode === 'hang' ? SHORT_DEADLINE : {}), operation);
      sandbox.faults.set({ provider: 'payments', operation }, { mode });
      await callUntilFaultFires(sandbox.faults, async () => {
        expect(await settle(request(operation))).toMatchObject({ kind: 'unknown' });
      });
      sandbox.faults.clear();
      expect(times(orderId, operation)).toBe(mode === 'answer_lost' ? 1 : 0);
      const calm = run(gatewayOf(), operation);
      expect(await calm(request(operation))).toMatchObject({ kind: 'done' });
      expect(times(orderId, operation)).toBe(1);
    },
  );

  test.for(OPERATIONS)(
    'a %s refused by the provider returns refused with a code',
    async (operation) => {
      const { settle, orderId, request } = await readyFor(gatewayOf(), operation);
      sandbox.faults.set({ provider: 'payments', operation }, { mode: 'refuse' });
      expect(await settle(request(operation))).toEqual({
        kind: 'refused',
        code: expect.stringMatching(/^[a-z_]+$/),
      });
      expect(times(orderId, operation)).toBe(0);
    },
  );

  test('the capture of a voided authorization is refused as authorization_expired_or_voided', async () => {
    const gateway = gatewayOf();
    const { request } = await held(gateway);
    await gateway.voidAuthorization(request('void'));
    const code = 'authorization_expired_or_voided';
    expect(await gateway.capture(request('capture'))).toEqual({ kind: 'refused', code });
  });

  test('a void says whether there was an authorization, also when it is repeated without its key', async () => {
    const gateway = gatewayOf();
    const { orderId, request } = await held(gateway);
    const waitingId = newOrderId();
    const card = 'pm_card_threeDSecure2Required';
    const asked = await gateway.authorize(authorization(waitingId, card));
    if (asked.kind !== 'action_required') throw new Error(asked.kind);
    const waiting = { ...request('void'), orderId: waitingId, reference: asked.reference };
    for (const suffix of ['', '', '/later']) {
      const voided = { ...request('void'), key: `${orderId}/void${suffix}` };
      const outcome = { kind: 'done', wasAuthorized: true };
      expect(await gateway.voidAuthorization(voided)).toMatchObject(outcome);
      const ended = { ...waiting, key: `${waitingId}/void${suffix}` };
      const nothing = { kind: 'done', reference: asked.reference, wasAuthorized: false };
      expect(await gateway.voidAuthorization(ended)).toEqual(nothing);
    }
    expect([effectsOf(orderId), effectsOf(waitingId)]).toEqual([['authorize', 'void'], []]);
  });

  test('the void of captured money is refused as already_captured', async () => {
    const gateway = gatewayOf();
    const { request } = await held(gateway);
    await gateway.capture(request('capture'));
    const outcome = await gateway.voidAuthorization(request('void'));
    expect(outcome).toEqual({ kind: 'refused', code: 'already_captured' });
  });

  test('a second full refund under another key refunds nothing more', async () => {
    const gateway = gatewayOf();
    const { orderId, request } = await held(gateway);
    await gateway.capture(request('capture'));
    await gateway.refund(request('refund'));
    const again = { ...request('refund'), key: `${orderId}/another` };
    expect(await gateway.refund(again)).toEqual({
      kind: 'refused',
      code: 'charge_already_refunded',
    });
    expect(times(orderId, 'refund')).toBe(1);
  });
});

describe('a capture of less than was authorized', () => {
  const LESS = { amountMinor: 1_000, currency: 'EUR' };
  const apiKey = 'sk_test_local';

  /** A refund that the shop has not asked for. Returns its id. */
  async function refundInDashboard(reference: string, amountMinor: number): Promise<string> {
    const body = new URLSearchParams({ payment_intent: reference, amount: String(amountMinor) });
    const headers = { authorization: `Bearer ${apiKey}` };
    const response = await fetch(`${sandbox.url}/v1/refunds`, { method: 'POST', headers, body });
    return z.object({ id: z.string() }).parse(await response.json()).id;
  }

  test('what such a capture releases is not counted as refunded', async () => {
    const gateway = gatewayOf();
    const { request, reference } = await held(gateway);
    expect(await gateway.capture({ ...request('capture'), amount: LESS })).toMatchObject({
      kind: 'done',
    });
    const state = { state: 'captured', amountMinor: 2_400, capturedMinor: 1_000 };
    const lookUp = () => gateway.lookUpReference(reference);
    expect(await lookUp()).toMatchObject({ payment: { ...state, refundedMinor: 0 } });
    expect(await gateway.listRefundsOf(reference)).toEqual({ kind: 'listed', refunds: [] });
    await gateway.refund({ ...request('refund'), amount: { ...LESS, amountMinor: 400 } });
    expect(await lookUp()).toMatchObject({ payment: { ...state, refundedMinor: 400 } });
    await refundInDashboard(reference, 600);
    expect(await lookUp()).toMatchObject({ payment: { ...state, refundedMinor: 1_000 } });
    expect(await gateway.listRefundsOf(reference)).toMatchObject({
      refunds: [{ amountMinor: 600 }, { amountMinor: 400 }],
    });
  });

  test('a refund in the dashboard of as much as the capture released is a refund', async () => {
    const gateway = gatewayOf();
    const { request, reference } = await held(gateway);
    await gateway.capture({ ...request('capture'), amount: { ...LESS, amountMinor: 1_400 } });
    const id = await refundInDashboard(reference, 1_000);
    const refund = { reference: id, amountMinor: 1_000, key: null };
    expect(await gateway.lookUpRefund(id)).toMatchObject({ kind: 'found', refund });
    expect(await gateway.listRefundsOf(reference)).toMatchObject({ refunds: [refund] });
    const payment = { capturedMinor: 1_400, refundedMinor: 1_000 };
    expect(await gateway.lookUpReference(reference)).toMatchObject({ payment });
  });
});

describe('the hold of an authorization', () => {
  test.each([
    ['never', 7],
    ['if_available', 30],
  ] as const)(
    'a hold that is to be extended %s lasts %i days',
    async (extendedAuthorization, days) => {
      const limits = quickLimits();
      const gateway = createStripePayments({
        apiKey: 'sk_test_local',
        apiUrl: sandbox.url,
        limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
        extendedAuthorization,
      });
      const outcome = await gateway.authorize(authorization(newOrderId()));
      if (outcome.kind !== 'authorized') throw new Error(outcome.kind);
      const lastsMs = Date.parse(outcome.captureBefore ?? '') - Date.now();
      expect(Math.round(lastsMs / DAY_MS)).toBe(days);
    },
  );
});

describe('breakers', () => {
  test('failing captures open the settle breaker while authorizations still succeed', async () => {
    const changes: string[] = [];
    const gateway = gatewayOf({ breakAfter: 2 }, ({ name, state }) =>
      changes.push(`${name} ${state}`),
    );
    const { request } = await held(gateway);
    sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'fail_before' });
    await gateway.capture(request('capture'));
    await gateway.capture(request('capture'));
    expect(await gateway.capture(request('capture'))).toMatchObject({ kind: 'unavailable' });
    expect(await gateway.authorize(authorization(newOrderId()))).toMatchObject({
      kind: 'authorized',
    });
    sandbox.faults.clear();
    advance(HALF_OPEN_AFTER_MS);
    expect(await gateway.capture(request('capture'))).toMatchObject({ kind: 'done' });
    expect(changes).toEqual([
      'payments.settle open',
      'payments.settle half_open',
      'payments.settle closed',
    ]);
  });
});
