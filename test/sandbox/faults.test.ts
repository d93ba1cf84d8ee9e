import { describe, expect, test } from 'vitest';
import type { Mode, Place, Provider } from '../../local/sandbox/faults.ts';
import { OPERATIONS } from '../../local/sandbox/faults.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import {
  WEBHOOK_SECRET,
  authorize,
  call,
  counted,
  openReceiver,
  openSandbox,
  reserveCall,
  shipCall,
  stripeOf,
} from './shop.ts';
import type { Request } from './shop.ts';
import { times } from '../support/times.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;

describe('calls', () => {
  test.each([
    [RESERVE, reserveCall()],
    [SHIP, shipCall('http://127.0.0.1:9')],
    [AUTHORIZE, null],
  ] satisfies [Place, Request | null][])(
    'a call under answer_lost at %o takes effect once, and its retries succeed afterwards',
    async (place, request) => {
      const sandbox = await openSandbox();
      sandbox.faults.set(place, { mode: 'answer_lost', times: 3 });
      const attempt = (): Promise<unknown> => attemptOf(sandbox, request);
      for (const _ of [1, 2, 3]) await expect(attempt()).rejects.toThrow('fetch failed');
      await expect(attempt()).resolves.toBeDefined();
      expect(counted(sandbox, place.provider)).toEqual({ [place.operation]: 1 });
      expect(sandbox.faults.list()).toMatchObject([{ fired: 3, times: 0 }]);
    },
  );

  test.each(['fail_before', 'fail_saved', 'down', 'hang'] satisfies Mode[])(
    'a reserve under %s has no effect, and the next attempt with the same key takes effect',
    async (mode) => {
      const sandbox = await openSandbox();
      sandbox.faults.set(RESERVE, { mode, times: 1 });
      const client = new AbortController();
      const first = settled(call(sandbox, { ...reserveCall(), signal: client.signal }));
      await eventually(() => expect(sandbox.faults.list()).toMatchObject([{ fired: 1 }]));
      if (mode === 'hang') client.abort();
      expect(await first).toBe(mode.startsWith('fail_') ? 500 : 'no response');
      expect(counted(sandbox, 'warehouse')).toEqual({});
      expect(await call(sandbox, reserveCall())).toMatchObject({ status: 201 });
      expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 1 });
    },
  );

  test('a reserve under latency succeeds after the delay', async () => {
    const sandbox = await openSandbox();
    sandbox.faults.set(RESERVE, { mode: 'latency', latency_ms: 80 });
    const startedMs = performance.now();
    expect(await call(sandbox, reserveCall())).toMatchObject({ status: 201 });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(75);
  });

  test('a reserve under duplicate takes effect once', async () => {
    const sandbox = await openSandbox();
    sandbox.faults.set(RESERVE, { mode: 'duplicate' });
    expect(await call(sandbox, reserveCall())).toMatchObject({ status: 201 });
    expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 1 });
  });

  test('payment and warehouse calls under refuse return each provider’s own error and have no effect', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const intent = await authorize(stripe, { orderId: 'ord_1' });
    const captured = await authorize(stripe, { orderId: 'ord_2' });
    await stripe.paymentIntents.capture(captured.id);
    const before = counted(sandbox, 'payments');
    for (const provider of ['payments', 'warehouse'] as const) refuseAll(sandbox, provider);

    await expect(authorize(stripe, { orderId: 'ord_3' })).rejects.toMatchObject({
      statusCode: 402,
      code: 'card_declined',
      decline_code: 'generic_decline',
    });
    await expect(stripe.paymentIntents.capture(intent.id)).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(stripe.paymentIntents.cancel(intent.id)).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(stripe.refunds.create({ payment_intent: captured.id })).rejects.toMatchObject({
      statusCode: 400,
    });
    const refused = { status: 409, body: { code: 'refused', reason: expect.any(String) } };
    expect(await call(sandbox, reserveCall())).toEqual(refused);
    expect(await call(sandbox, shipCall('http://127.0.0.1:9'))).toEqual(refused);
    expect(counted(sandbox, 'payments')).toEqual(before);
    expect(counted(sandbox, 'warehouse')).toEqual({});
  });

  test('a replay of a completed authorization is not refused under refuse', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const first = await authorize(stripe, { orderId: 'ord_1' });
    sandbox.faults.set(AUTHORIZE, { mode: 'refuse', times: 1 });
    expect((await authorize(stripe, { orderId: 'ord_1' })).id).toBe(first.id);
    expect(sandbox.faults.list()).toMatchObject([{ fired: 0, times: 1 }]);
  });

  test('a refund refused by a fault is refused again under its key, and made under another one', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    const intent = await authorize(stripe, { orderId: 'ord_1' });
    await stripe.paymentIntents.capture(intent.id);
    sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'refuse', times: 1 });
    const refund = (idempotencyKey: string) =>
      stripe.refunds.create({ payment_intent: intent.id }, { idempotencyKey });
    await expect(refund('ord_1/refund')).rejects.toMatchObject({ statusCode: 400 });
    await expect(refund('ord_1/refund')).rejects.toMatchObject({
      statusCode: 400,
      headers: { 'idempotent-replayed': 'true' },
    });
    expect(await refund('ord_1/refund/2')).toMatchObject({ status: 'succeeded' });
  });

  test('a failing payment list returns an error instead of an empty list', async () => {
    const sandbox = await openSandbox();
    const stripe = stripeOf(sandbox);
    await authorize(stripe, { orderId: 'ord_1' });
    sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode: 'fail_before' });
    await expect(stripe.paymentIntents.list()).rejects.toMatchObject({ statusCode: 500 });
    const place = { provider: 'payments', operation: 'lookup' } as const;
    sandbox.faults.set(place, { mode: 'refuse' });
    await expect(stripe.paymentIntents.list()).rejects.toMatchObject({ statusCode: 429 });
    sandbox.faults.clear();
    expect((await stripe.paymentIntents.list()).data).toHaveLength(1);
  });
});

describe('messages', () => {
  test.each([
    ['duplicate', 2],
    ['answer_lost', 2],
    ['fail_before', 1],
    ['down', 1],
    ['late', 1],
  ] satisfies [Mode, number][])(
    'a callback under %s reaches the shop %i times, with one id',
    async (mode, times) => {
      const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
      sandbox.faults.set(CALLBACK, { mode, times: 1, latency_ms: 50 });
      await call(sandbox, shipCall(shop.url));
      await eventually(() => expect(shop.received).toHaveLength(times));
      expect(new Set(shop.received.map((each) => each.headers['webhook-id'])).size).toBe(1);
      expect(sandbox.faults.list()).toMatchObject([{ mode, fired: 1 }]);
    },
  );

  test('a callback under refuse reports the shipment as refused', async () => {
    const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
    sandbox.faults.set(CALLBACK, { mode: 'refuse' });
    await call(sandbox, shipCall(shop.url));
    await eventually(() => expect(shop.received).toHaveLength(1));
    expect(JSON.parse(shop.received[0]?.body ?? '')).toMatchObject({
      type: 'shipment.refused',
      data: { correlation_id: 'ord_1.ship', reason: expect.any(String) },
    });
    expect(
      await call(sandbox, { path: '/warehouse/shipments/ord_1.ship', method: 'GET' }),
    ).toMatchObject({ body: { state: 'refused' } });
  });

  test('payment events verify with the Stripe library, and duplicate sends one event twice', async () => {
    const shop = await openReceiver();
    const target = { url: shop.url, secret: WEBHOOK_SECRET };
    const sandbox = await openSandbox({ paymentsWebhook: target });
    const stripe = stripeOf(sandbox);
    const place = { provider: 'payments', operation: 'webhook' } as const;
    sandbox.faults.set(place, { mode: 'duplicate', times: 1 });
    const intent = await authorize(stripe, { orderId: 'ord_1' });
    await eventually(() => expect(shop.received).toHaveLength(2));
    await stripe.paymentIntents.capture(intent.id);
    await stripe.refunds.create({ payment_intent: intent.id });
    await eventually(() => expect(shop.received).toHaveLength(5));
    const events = shop.received.map(({ body, headers }) =>
      stripe.webhooks.constructEvent(body, String(headers['stripe-signature']), WEBHOOK_SECRET),
    );
    expect(events[0]?.id).toBe(events[1]?.id);
    expect(events.map((event) => event.type)).toEqual([
      'payment_intent.amount_capturable_updated',
      'payment_intent.amount_capturable_updated',
      'payment_intent.succeeded',
      'refund.created',
      'charge.refunded',
    ]);
  });
});

test('fifty concurrent authorizations all succeed and take effect once each', async () => {
  const sandbox = await openSandbox();
  const stripe = stripeOf(sandbox);
  const orders = times(50, (n) => `ord_${n}`);
  const intents = await Promise.all(orders.map((orderId) => authorize(stripe, { orderId })));
  expect(new Set(intents.map((intent) => intent.id)).size).toBe(50);
  expect(counted(sandbox, 'payments')).toEqual({ authorize: 50 });
});

function refuseAll(sandbox: Sandbox, provider: Provider): void {
  for (const operation of OPERATIONS[provider]) {
    sandbox.faults.set({ provider, operation }, { mode: 'refuse' });
  }
}

async function settled(response: Promise<{ status: number }>): Promise<number | 'no response'> {
  return response.then(
    ({ status }) => status,
    () => 'no response',
  );
}

/** A warehouse call, or without one an authorization; plain HTTP, as the stripe client repeats a cut call. */
function attemptOf(sandbox: Sandbox, request: Request | null): Promise<unknown> {
  if (request !== null) return call(sandbox, request);
  const form = new URLSearchParams({
    amount: '1200',
    currency: 'eur',
    confirm: 'true',
    capture_method: 'manual',
    payment_method: 'pm_card_visa',
    'metadata[order_id]': 'ord_1',
  });
  const headers = { Authorization: 'Bearer sk_test', 'Idempotency-Key': 'ord_1/authorize' };
  return fetch(`${sandbox.url}/v1/payment_intents`, { method: 'POST', headers, body: form });
}
