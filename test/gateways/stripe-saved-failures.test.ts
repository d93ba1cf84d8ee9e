/** Failures that Stripe has saved under a key: it replays them for a day, whatever has changed since. */
import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { derivedKey, type OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { startHttpServer } from '../support/http-server.ts';
import { times } from '../support/times.ts';
import { newOrderId } from './provider.ts';
import { authorization, gatewayTo, held, useSandbox } from './stripe-sandbox.ts';

const DAY_MS = 86_400_000;
const OPERATIONS = ['capture', 'void', 'refund'] as const;
type Operation = (typeof OPERATIONS)[number];

const sandbox = useSandbox();

const gatewayOf = (changes: Partial<CallLimits> = {}) => gatewayTo(sandbox, changes);

function settling(gateway: PaymentGateway, operation: Operation) {
  switch (operation) {
    case 'capture':
      return gateway.capture;
    case 'void':
      return gateway.voidAuthorization;
    case 'refund':
      return gateway.refund;
  }
}

/** An order, and the request that is about to fail. */
async function readyFor(operation: Operation, gateway = gatewayOf()) {
  const order = await held(gateway);
  if (operation === 'refund') await gateway.capture(order.request('capture'));
  return { ...order, request: order.request(operation) };
}

const keysOf = (orderId: OrderId, operation: Operation) =>
  sandbox.ledgers.payments
    .effectsOf(orderId)
    .filter((effect) => effect.operation === operation)
    .map(({ key }) => key);

describe.each(OPERATIONS)('a saved 500 of a %s', (operation) => {
  const place = { provider: 'payments', operation } as const;

  test(`a ${operation} whose 500 was saved is done once by the next attempt, under a derived key`, async () => {
    const settle = settling(gatewayOf(), operation);
    const { orderId, request } = await readyFor(operation);
    sandbox.faults.set(place, { mode: 'fail_saved', times: 1 });
    const reason = 'the payment provider answered HTTP 500';
    expect(await settle(request)).toEqual({ kind: 'unknown', reason });
    for (let i = 0; i < 3; i += 1) expect(await settle(request)).toMatchObject({ kind: 'done' });
    expect(keysOf(orderId, operation)).toEqual([derivedKey(request.key, 2)]);
  });

  test(`concurrent attempts of a ${operation} after a saved 500 use the same derived key`, async () => {
    const settle = settling(gatewayOf(), operation);
    const { orderId, request } = await readyFor(operation);
    sandbox.faults.set(place, { mode: 'fail_saved', times: 2 });
    for (let i = 0; i < 2; i += 1) await settle(request);
    // So slow that they overlap.
    sandbox.faults.set(place, { mode: 'latency', latency_ms: 50 });
    const outcomes = await Promise.all(times(4, () => settle(request)));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ kind: 'done' });
    expect(keysOf(orderId, operation)).toEqual([derivedKey(request.key, 3)]);
  });

  test(`a ${operation} whose keys all have a saved failure is unknown without opening the breaker, and is done after a day`, async () => {
    const { orderId, request } = await readyFor(operation);
    const failing = settling(gatewayOf({ breakAfter: 1_000 }), operation);
    sandbox.faults.set(place, { mode: 'fail_saved', times: 10 });
    for (let i = 0; i < 10; i += 1) await failing(request);
    const gateway = gatewayOf({ breakAfter: 1 });
    const settle = settling(gateway, operation);
    const reason = 'no usable answer from the payment provider (saved_failures_only)';
    for (let i = 0; i < 2; i += 1)
      expect(await settle(request)).toEqual({ kind: 'unknown', reason });
    expect(gateway.breakers().map(({ state }) => state)).toEqual(times(4, () => 'closed'));
    sandbox.clock.setOffset(DAY_MS);
    try {
      expect(await settle(request)).toMatchObject({ kind: 'done' });
    } finally {
      sandbox.clock.setOffset(0);
    }
    expect(keysOf(orderId, operation)).toEqual([request.key]);
  });

  test(`a ${operation} that the provider has refused is sent anew by the next attempt`, async () => {
    const settle = settling(gatewayOf(), operation);
    const { orderId, request } = await readyFor(operation);
    sandbox.faults.set(place, { mode: 'refuse', times: 1 });
    expect(await settle(request)).toMatchObject({ kind: 'refused' });
    expect(await settle(request)).toMatchObject({ kind: 'done' });
    expect(keysOf(orderId, operation)).toEqual([derivedKey(request.key, 2)]);
  });
});

test.for(['capture', 'void'] as const)(
  'a %s that was made under another key meanwhile is found after a saved 500, and not sent again',
  async (operation) => {
    const settle = settling(gatewayOf(), operation);
    const { orderId, request } = await readyFor(operation);
    sandbox.faults.set({ provider: 'payments', operation }, { mode: 'fail_saved', times: 1 });
    await settle(request);
    const key = `${orderId}/manual`;
    await settle({ ...request, key });
    expect(await settle(request)).toMatchObject({ kind: 'done' });
    expect(keysOf(orderId, operation)).toEqual([key]);
  },
);

test('a replayed 500 of an authorization is unknown and leaves the breaker closed', async () => {
  const request = authorization(newOrderId());
  const place = { provider: 'payments', operation: 'authorize' } as const;
  sandbox.faults.set(place, { mode: 'fail_saved', times: 1 });
  await gatewayOf().authorize(request);
  const gateway = gatewayOf({ breakAfter: 1 });
  const reason = 'no usable answer from the payment provider (http_500_replayed)';
  for (let i = 0; i < 2; i += 1) {
    expect(await gateway.authorize(request)).toEqual({ kind: 'unknown', reason });
  }
  expect(gateway.breakers()).toContainEqual(
    expect.objectContaining({ name: 'payments.authorize', state: 'closed' }),
  );
});

test('a void that was refused while the payment was processing succeeds once it is authorized', async () => {
  const provider = await processingProvider();
  const gateway = gatewayTo(provider);
  const orderId = newOrderId();
  const amount = { amountMinor: 2_400, currency: 'EUR' };
  const request = { key: `${orderId}/void`, orderId, reference: 'pi_1', amount };
  const reason = 'no usable answer from the payment provider (still_processing)';
  for (let i = 0; i < 2; i += 1) {
    expect(await gateway.voidAuthorization(request)).toEqual({ kind: 'unknown', reason });
  }
  provider.become('requires_capture');
  const done = { kind: 'done', reference: 'pi_1', wasAuthorized: true };
  for (let i = 0; i < 2; i += 1) expect(await gateway.voidAuthorization(request)).toEqual(done);
  expect(provider.cancelled).toEqual([derivedKey(request.key, 2)]);
});

/** Stripe with one payment, which cannot be cancelled while it is processing. */
async function processingProvider() {
  const saved = new Map<string, readonly [number, object]>();
  const cancelled: string[] = [];
  let status = 'processing';
  const intent = () => ({ id: 'pi_1', status, latest_charge: { status: 'succeeded' } });
  const cancel = (key: string): readonly [number, object] => {
    if (status === 'requires_capture') {
      status = 'canceled';
      cancelled.push(key);
      return [200, intent()];
    }
    const code = 'payment_intent_unexpected_state';
    return [400, { error: { type: 'invalid_request_error', code, message: status } }];
  };
  const server = await startHttpServer((request, response) => {
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') return respond(response, [200, intent()]);
    const earlier = saved.get(key);
    const answer = earlier ?? cancel(key);
    saved.set(key, answer);
    return respond(response, answer, earlier !== undefined);
  });
  onTestFinished(server.close);
  const become = (next: string): void => {
    status = next;
  };
  return { url: server.url, become, cancelled };
}

function respond(
  response: ServerResponse,
  [status, body]: readonly [number, object],
  isReplay = false,
): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(isReplay && { 'idempotent-replayed': 'true' }),
  });
  response.end(JSON.stringify(body));
}
