import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { readRequest, startHttpServer, type Listener } from '../support/http-server.ts';
import { newOrderId, quickLimits } from './provider.ts';
import { times } from '../support/times.ts';

const HOUR_MS = 3_600_000;
/** What every intent has. */
const INTENT = {
  id: 'pi_1',
  amount: 2_400,
  created: 1_700_000_000,
  currency: 'eur',
  metadata: {},
} as const;

async function gatewayTo(listener: Listener): Promise<PaymentGateway> {
  const provider = await startHttpServer(listener);
  onTestFinished(provider.close);
  const limits = quickLimits();
  return createStripePayments({
    apiKey: 'sk_test_local',
    apiUrl: provider.url,
    limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
  });
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function authorization(orderId = newOrderId()) {
  const amount = { amountMinor: 2_400, currency: 'EUR' };
  return { key: `${orderId}/authorize`, orderId, amount, paymentMethod: 'pm_card_visa' };
}

describe('an inconclusive response', () => {
  const intent = { ...INTENT, object: 'payment_intent', last_payment_error: null };
  test.for([
    [
      'a processing payment',
      200,
      { ...intent, status: 'processing' },
      'no usable answer from the payment provider (still_processing)',
    ],
    [
      'a payment that was not judged yet',
      200,
      { ...intent, status: 'requires_confirmation' },
      'no usable answer from the payment provider (still_processing)',
    ],
    [
      'an unknown payment status',
      200,
      { ...intent, status: 'new_one' },
      'the answer of the payment provider is not understood (intent_status_not_known)',
    ],
    [
      'success without an intent',
      200,
      {},
      'the answer of the payment provider is not understood (answer_not_understood)',
    ],
    [
      'a body that is not JSON',
      200,
      '<html>',
      'no usable answer from the payment provider (answer_not_json)',
    ],
    [
      'a proxy’s 502 in JSON',
      502,
      { message: 'bad gateway' },
      'the payment provider answered HTTP 502',
    ],
    [
      'a proxy’s 502 in HTML',
      502,
      '<html>',
      'no usable answer from the payment provider (answer_not_json)',
    ],
    [
      'a server error',
      500,
      { error: { type: 'api_error', message: 'Ada Lovelace' } },
      'the payment provider answered HTTP 500',
    ],
  ] as const)('authorize returns unknown for %s', async ([, status, body, reason]) => {
    const gateway = await gatewayTo((_, response) => respond(response, status, body));
    const outcome = await gateway.authorize(authorization());
    expect(outcome).toMatchObject({ kind: 'unknown', reason });
  });

  test('authorize returns unknown for a connection cut in the middle of the response', async () => {
    const gateway = await gatewayTo((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"id":"pi_1",', () => response.destroy());
    });
    const outcome = await gateway.authorize(authorization());
    expect(outcome).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/^connection|^no connection/),
    });
  });

  test('authorize returns unknown for a response without end', async () => {
    const gateway = await gatewayTo((_, response) => {
      const more = () => void response.write('x'.repeat(100_000), more);
      more();
    });
    const outcome = await gateway.authorize(authorization());
    const reason = 'no usable answer from the payment provider (answer_too_large)';
    expect(outcome).toEqual({ kind: 'unknown', reason });
  });

  test('authorize returns unknown for a redirect and does not follow it', async () => {
    let calls = 0;
    const gateway = await gatewayTo((_, response) => {
      calls += 1;
      response.writeHead(307, { location: '/v1/elsewhere' }).end('{}');
    });
    const outcome = await gateway.authorize(authorization());
    const reason = 'the payment provider answered HTTP 307';
    expect(outcome).toEqual({ kind: 'unknown', reason });
    expect(calls).toBe(1);
  });

  test('authorize returns unknown for a lost connection and does not retry it', async () => {
    let calls = 0;
    const gateway = await gatewayTo((request) => {
      calls += 1;
      request.socket.destroy();
    });
    expect(await gateway.authorize(authorization())).toMatchObject({ kind: 'unknown' });
    expect(calls).toBe(1);
  });
});

describe('a payment that the shopper has to confirm', () => {
  const waiting = { ...INTENT, status: 'requires_action', last_payment_error: null };
  const next_action = { type: 'use_stripe_sdk', use_stripe_sdk: { anything: ['of', 'Stripe'] } };

  test('a payment to be confirmed is returned with its secret and the next action as the provider has them', async () => {
    const intent = { ...waiting, client_secret: 'pi_1_secret_x', next_action };
    const gateway = await gatewayTo((_, response) => respond(response, 200, intent));
    const action = { clientSecret: 'pi_1_secret_x', nextAction: next_action };
    const outcome = { kind: 'action_required', reference: 'pi_1', action };
    expect(await gateway.authorize(authorization())).toEqual(outcome);
    const found = await gateway.lookUpReference('pi_1');
    expect(found).toMatchObject({ payment: { state: 'action_required', action } });
  });

  test.each([
    ['a secret', { client_secret: null, next_action }],
    ['a next action', { client_secret: 'pi_1_secret_x', next_action: null }],
  ])('a payment to be confirmed is not understood without %s', async (_, missing) => {
    const gateway = await gatewayTo((_, response) =>
      respond(response, 200, { ...waiting, ...missing }),
    );
    const outcome = { kind: 'unknown', notUnderstood: true };
    expect(await gateway.authorize(authorization())).toMatchObject(outcome);
    expect(await gateway.lookUpReference('pi_1')).toMatchObject(outcome);
  });
});

describe('a declined authorization', () => {
  test('an amount below the provider’s minimum is a decline, and a malformed request is refused with its code', async () => {
    const refuseWith = (error: object) =>
      gatewayTo((_, response) =>
        respond(response, 400, { error: { type: 'invalid_request_error', ...error } }),
      );
    const small = await refuseWith({ code: 'amount_too_small', param: 'amount' });
    expect(await small.authorize(authorization())).toMatchObject({ code: 'amount_too_small' });
    const bug = await refuseWith({ code: 'parameter_unknown', param: 'x', message: 'Ada' });
    const refused = { kind: 'refused', code: 'parameter_unknown' };
    expect(await bug.authorize(authorization())).toEqual(refused);
  });
});

describe('money', () => {
  test('an ISK amount keeps its value although Stripe counts it in hundredths', async () => {
    const bodies: string[] = [];
    const intent = {
      ...INTENT,
      status: 'succeeded',
      currency: 'isk',
      latest_charge: { amount_captured: 240_000, amount_refunded: 100_000 },
    };
    const gateway = await gatewayTo(async (request, response) => {
      bodies.push((await readRequest(request)).body);
      respond(response, 200, intent);
    });
    const amount = { amountMinor: 2_400, currency: 'ISK' };
    await gateway.authorize({ ...authorization(), amount });
    expect(new URLSearchParams(bodies[0]).get('amount')).toBe('240000');
    expect(await gateway.lookUp({ orderId: newOrderId(), reference: 'pi_1' })).toMatchObject({
      payment: { capturedMinor: 2_400, refundedMinor: 1_000 },
    });
  });
});

describe('looking up a payment', () => {
  /** More intents than are read from the list; `searched` is what search knows. */
  async function busyProvider(searched: readonly object[]) {
    const page = times(100, (i) => ({
      id: `pi_${i}`,
      status: 'requires_capture',
      metadata: {},
      currency: 'eur',
    }));
    const paths: string[] = [];
    const gateway = await gatewayTo((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      paths.push(path);
      if (path.endsWith('/search')) {
        return respond(response, 200, { object: 'search_result', data: searched, has_more: false });
      }
      if (path.endsWith('/payment_intents')) {
        return respond(response, 200, { object: 'list', data: page, has_more: true });
      }
      return respond(response, 200, { ...INTENT, latest_charge: null, ...searched[0] });
    });
    return { gateway, paths };
  }

  test('a lookup of a recent order that search lacks returns unknown on a busy account', async () => {
    const { gateway, paths } = await busyProvider([]);
    expect(await gateway.lookUp({ orderId: newOrderId(), reference: null })).toEqual({
      kind: 'unknown',
      reason: 'the payment provider does not say yet whether it has the payment',
    });
    expect(paths.length).toBeLessThanOrEqual(41);
    expect(paths.at(-1)).toBe('/v1/payment_intents/search');
    expect(gateway.breakers()).toContainEqual(
      expect.objectContaining({ name: 'payments.find', state: 'closed' }),
    );
  });

  test('a lookup of an old order that search lacks returns absent', async () => {
    const { gateway } = await busyProvider([]);
    const orderId = newOrderId(new Date(Date.now() - 2 * HOUR_MS));
    expect(await gateway.lookUp({ orderId, reference: null })).toEqual({ kind: 'absent' });
  });

  test('a lookup whose list call is refused returns unknown and leaves the breaker closed', async () => {
    const error = { type: 'invalid_request_error', code: 'resource_missing' };
    const gateway = await gatewayTo((_, response) => respond(response, 404, { error }));
    for (const _ of times(quickLimits().breakAfter, () => null)) {
      expect(await gateway.lookUp({ orderId: newOrderId(), reference: null })).toEqual({
        kind: 'unknown',
        reason: 'no usable answer from the payment provider (lookup_resource_missing)',
      });
    }
    expect(new Set(gateway.breakers().map(({ state }) => state))).toEqual(new Set(['closed']));
  });

  test('a lookup of an old order that search finds makes no list call', async () => {
    const orderId = newOrderId(new Date(Date.now() - 2 * HOUR_MS));
    const intent = { id: 'pi_held', status: 'requires_capture', metadata: { order_id: orderId } };
    const { gateway, paths } = await busyProvider([intent]);
    expect(await gateway.lookUp({ orderId, reference: null })).toMatchObject({ kind: 'found' });
    expect(paths).toEqual(['/v1/payment_intents/search', '/v1/payment_intents/pi_held']);
  });

  test.each([
    ['requires_confirmation', null, 'processing'],
    ['requires_payment_method', null, 'processing'],
    ['requires_payment_method', { code: 'card_declined' }, 'declined'],
  ])('an intent that %s with the error %o is %s', async (status, error, state) => {
    const orderId = newOrderId();
    const intent = { id: 'pi_1', status, metadata: { order_id: orderId } };
    const { gateway } = await busyProvider([{ ...intent, last_payment_error: error }]);
    expect(await gateway.lookUp({ orderId, reference: null })).toMatchObject({
      kind: 'found',
      payment: { state },
    });
  });

  test('a lookup of an order with several intents returns the one that holds money', async () => {
    const orderId = newOrderId();
    const metadata = { order_id: orderId };
    const intents = [
      { id: 'pi_held', status: 'requires_capture', metadata },
      { id: 'pi_gone', status: 'canceled', metadata },
    ];
    const { gateway } = await busyProvider(intents);
    expect(await gateway.lookUp({ orderId, reference: null })).toMatchObject({
      kind: 'found',
      payment: { reference: 'pi_held', state: 'authorized' },
    });
  });
});

describe('listing payments', () => {
  const window = { from: '2026-01-01T00:00:00.000Z', to: '2026-01-02T00:00:00.000Z', after: null };

  test('a page of a hundred payments of 12 kB each is listed completely', async () => {
    const metadata = { note: 'x'.repeat(12_000) };
    const data = times(100, (i) => ({
      ...INTENT,
      id: `pi_${i}`,
      status: 'canceled',
      latest_charge: null,
      metadata,
    }));
    const page = { object: 'list', data, has_more: false };
    const gateway = await gatewayTo((_, response) => respond(response, 200, page));
    const listed = await gateway.listPayments(window);
    expect(listed).toMatchObject({ kind: 'page', unreadable: [], next: null });
    expect(listed).toHaveProperty('payments.length', 100);
  });

  test('a page without end is not read to more than its limit', async () => {
    const gateway = await gatewayTo((_, response) => {
      const more = () => void response.write('x'.repeat(1_000_000), more);
      more();
    });
    const reason = 'no usable answer from the payment provider (answer_too_large)';
    expect(await gateway.listPayments(window)).toEqual({ kind: 'unknown', reason });
  });
});
