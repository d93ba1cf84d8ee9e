import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { providerKey } from '../../domain/ids.ts';
import type { Intent, OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/guard.ts';
import type { BreakerView } from '../../gateways/outcome.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createStripePayments } from '../../gateways/stripe-payments.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { newOrderId, quickLimits } from './provider.ts';

const AMOUNT = { amountMinor: 2_400, currency: 'EUR' };
const DAY_MS = 86_400_000;
const WAREHOUSE_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await createSandbox({ warehouseCallbackSecret: WAREHOUSE_SECRET });
});
afterEach(() => sandbox.faults.clear());
afterAll(() => sandbox.close());

function gatewayOf(
  changes: Partial<CallLimits> = {},
  onBreakerChange?: (view: BreakerView) => void,
): PaymentGateway {
  const limits = quickLimits({ deadlineMs: 5_000, ...changes });
  return createStripePayments({
    apiKey: 'sk_test_local',
    apiUrl: sandbox.url,
    limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
    onBreakerChange,
  });
}

function authorization(orderId: OrderId, paymentMethod = 'pm_card_visa') {
  return { key: providerKey(orderId, 'authorize'), orderId, amount: AMOUNT, paymentMethod };
}

/** An order with money held, and what each settling call needs. */
async function held(gateway: PaymentGateway) {
  const orderId = newOrderId();
  const outcome = await gateway.authorize(authorization(orderId));
  if (outcome.kind !== 'authorized') throw new Error(`not authorized: ${outcome.kind}`);
  const { reference } = outcome;
  const request = (intent: Intent) => ({
    key: providerKey(orderId, intent),
    orderId,
    reference,
    amount: AMOUNT,
  });
  return { orderId, reference, request };
}

const effectsOf = (orderId: OrderId) =>
  sandbox.ledgers.payments
    .effects()
    .filter(({ order_id }) => order_id === orderId)
    .map(({ operation }) => operation);

const stateOf = (gateway: PaymentGateway, name: string) =>
  gateway.breakers().find((view) => view.name === name)?.state;

describe('authorize', () => {
  test('holds the money once, however often it is asked under one key', async () => {
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

  test('a card the provider does not know is a decline', async () => {
    const outcome = await gatewayOf().authorize(authorization(newOrderId(), 'pm_nobody_knows'));
    expect(outcome).toEqual({ kind: 'declined', code: 'resource_missing', reference: null });
  });

  test('a key used for another amount is our bug and surfaces', async () => {
    const gateway = gatewayOf();
    const { orderId } = await held(gateway);
    const other = { ...authorization(orderId), amount: { amountMinor: 1, currency: 'EUR' } };
    await expect(gateway.authorize(other)).rejects.toMatchObject({ name: 'ProviderRejection' });
  });

  test('wrong credentials surface, without the key in the message', async () => {
    const gateway = createStripePayments({ apiKey: 'wrong_secret', apiUrl: sandbox.url });
    const failure = gateway.authorize(authorization(newOrderId()));
    await expect(failure).rejects.toThrow(/^payments rejected the request: http_401$/);
  });

  test('an order older than the provider’s memory of keys gets no second hold', async () => {
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
    ['fail_before', 'http_500', []],
    ['down', /^connection_/, []],
    ['answer_lost', /^connection_/, ['authorize']],
  ] as const)('%s is unknown; the same key settles it', async ([mode, reason, effects]) => {
    const gateway = gatewayOf();
    const orderId = newOrderId();
    sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode, times: 1 });
    const outcome = await gateway.authorize(authorization(orderId));
    expect(outcome).toMatchObject({ kind: 'unknown' });
    expect(outcome.kind === 'unknown' ? outcome.reason : '').toMatch(reason);
    expect(effectsOf(orderId)).toEqual(effects);
    expect(await gateway.authorize(authorization(orderId))).toMatchObject({ kind: 'authorized' });
    expect(effectsOf(orderId)).toEqual(['authorize']);
  });

  test('a provider that hangs costs the deadline and no more', async () => {
    sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode: 'hang' });
    const startedAtMs = performance.now();
    const outcome = await gatewayOf({ deadlineMs: 100 }).authorize(authorization(newOrderId()));
    expect(outcome).toEqual({ kind: 'unknown', reason: 'deadline' });
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  test('a slow answer within the deadline is an answer', async () => {
    const place = { provider: 'payments', operation: 'authorize' } as const;
    sandbox.faults.set(place, { mode: 'latency', latency_ms: 50 });
    const outcome = await gatewayOf().authorize(authorization(newOrderId()));
    expect(outcome.kind).toBe('authorized');
  });

  test('is found by order id right after the answer was lost', async () => {
    const gateway = gatewayOf();
    const orderId = newOrderId();
    sandbox.faults.set({ provider: 'payments', operation: 'authorize' }, { mode: 'answer_lost' });
    await gateway.authorize(authorization(orderId));
    expect(await gateway.lookUp({ orderId, reference: null })).toMatchObject({
      kind: 'found',
      payment: { state: 'authorized', capturedMinor: 0, refundedMinor: 0, declineCode: null },
    });
  });

  test('is absent when the call never arrived', async () => {
    const outcome = await gatewayOf().lookUp({ orderId: newOrderId(), reference: null });
    expect(outcome).toEqual({ kind: 'absent' });
  });
});

describe('look-up', () => {
  test('tells what was captured, refunded, voided and declined', async () => {
    const gateway = gatewayOf();
    const stands = async (orderId: OrderId, reference: string | null) => {
      const found = await gateway.lookUp({ orderId, reference });
      return found.kind === 'found' ? found.payment : found;
    };
    const paid = await held(gateway);
    await gateway.capture(paid.request('capture'));
    expect(await stands(paid.orderId, paid.reference)).toMatchObject({
      state: 'captured',
      capturedMinor: 2_400,
      refundedMinor: 0,
    });
    const part = { amountMinor: 400, currency: 'EUR' };
    await gateway.refund({ ...paid.request('refund'), amount: part });
    expect(await stands(paid.orderId, null)).toMatchObject({ refundedMinor: 400 });

    const voided = await held(gateway);
    await gateway.voidAuthorization(voided.request('void'));
    expect(await stands(voided.orderId, voided.reference)).toMatchObject({ state: 'voided' });

    const declinedId = newOrderId();
    await gateway.authorize(authorization(declinedId, 'pm_card_chargeDeclinedExpiredCard'));
    expect(await stands(declinedId, null)).toMatchObject({
      state: 'declined',
      declineCode: 'expired_card',
    });
  });

  test('a reference the provider does not know is absent', async () => {
    const outcome = await gatewayOf().lookUp({ orderId: newOrderId(), reference: 'pi_none' });
    expect(outcome).toEqual({ kind: 'absent' });
  });

  test.for(['fail_before', 'down', 'answer_lost', 'hang'] as const)(
    'a look-up that is struck by %s is unknown, never absent',
    async (mode) => {
      sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode });
      const gateway = gatewayOf({ deadlineMs: 300 });
      for (const reference of [null, 'pi_none']) {
        const outcome = await gateway.lookUp({ orderId: newOrderId(), reference });
        expect(outcome).toMatchObject({ kind: 'unknown' });
      }
    },
  );

  test('a look-up that is turned away is unknown', async () => {
    sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode: 'refuse' });
    const outcome = await gatewayOf().lookUp({ orderId: newOrderId(), reference: null });
    expect(outcome).toMatchObject({ kind: 'unknown' });
  });
});

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

  test.for(OPERATIONS)('%s happens once, however often it is asked', async (operation) => {
    const { settle, orderId, request } = await readyFor(gatewayOf(), operation);
    for (let i = 0; i < 3; i += 1) {
      expect(await settle(request(operation))).toMatchObject({ kind: 'done' });
    }
    expect(times(orderId, operation)).toBe(1);
  });

  test.for(OPERATIONS)('%s happens once even after its key was forgotten', async (operation) => {
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
  });

  const LOST = OPERATIONS.flatMap((operation) =>
    (['answer_lost', 'fail_before', 'down', 'hang'] as const).map(
      (mode) => [operation, mode] as const,
    ),
  );
  test.for(LOST)('%s struck by %s is unknown; a repeat does it once', async ([operation, mode]) => {
    const { orderId, request } = await readyFor(gatewayOf(), operation);
    const settle = run(gatewayOf({ deadlineMs: mode === 'hang' ? 150 : 5_000 }), operation);
    sandbox.faults.set({ provider: 'payments', operation }, { mode, times: 1 });
    expect(await settle(request(operation))).toMatchObject({ kind: 'unknown' });
    expect(times(orderId, operation)).toBe(mode === 'answer_lost' ? 1 : 0);
    const calm = run(gatewayOf(), operation);
    expect(await calm(request(operation))).toMatchObject({ kind: 'done' });
    expect(times(orderId, operation)).toBe(1);
  });

  test.for(OPERATIONS)('%s refused by the provider is a refusal with a code', async (operation) => {
    const { settle, orderId, request } = await readyFor(gatewayOf(), operation);
    sandbox.faults.set({ provider: 'payments', operation }, { mode: 'refuse' });
    expect(await settle(request(operation))).toEqual({
      kind: 'refused',
      code: expect.stringMatching(/^[a-z_]+$/),
    });
    expect(times(orderId, operation)).toBe(0);
  });

  test('a voided authorization cannot be captured, and the refusal says so', async () => {
    const gateway = gatewayOf();
    const { request } = await held(gateway);
    await gateway.voidAuthorization(request('void'));
    const code = 'authorization_expired_or_voided';
    expect(await gateway.capture(request('capture'))).toEqual({ kind: 'refused', code });
  });

  test('captured money cannot be voided, and the refusal says so', async () => {
    const gateway = gatewayOf();
    const { request } = await held(gateway);
    await gateway.capture(request('capture'));
    const outcome = await gateway.voidAuthorization(request('void'));
    expect(outcome).toEqual({ kind: 'refused', code: 'already_captured' });
  });

  test('what is refunded in full stays refunded under any key', async () => {
    const gateway = gatewayOf();
    const { orderId, request } = await held(gateway);
    await gateway.capture(request('capture'));
    await gateway.refund(request('refund'));
    const again = { ...request('refund'), key: `${orderId}/another` };
    expect(await gateway.refund(again)).toMatchObject({ kind: 'done' });
    expect(times(orderId, 'refund')).toBe(1);
  });
});

describe('breakers', () => {
  test('capture failing breaks settling and leaves shoppers’ authorizations alone', async () => {
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
    await eventually(async () => {
      expect(await gateway.capture(request('capture'))).toMatchObject({ kind: 'done' });
    });
    expect(changes).toEqual([
      'payments.settle open',
      'payments.settle half_open',
      'payments.settle closed',
    ]);
  });
});
