import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createApp } from '../../api/app.ts';
import { createLimits } from '../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import type { FaultSpec } from '../../local/sandbox/faults.ts';
import { quickLimits } from '../gateways/provider.ts';
import { apiOf, placeOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { expectInvariants } from '../support/invariants.ts';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects, useShop } from '../support/shop.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;

const shop = useShop({ deadlines: { authorizeMs: 3_000 } });
afterAll(() => expectInvariants(shop.db));

const held = async () =>
  (await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } })).held;
const reject = (spec: Omit<FaultSpec, 'mode'>) =>
  shop.sandbox.faults.set(AUTHORIZE, { mode: 'reject', ...spec });

/** A shop with limits of its own: breakers of the shop in use stay closed. */
function shopWith(limits: ReturnType<typeof createLimits>['payments']) {
  const apiUrl = shop.sandbox.url;
  const payments = createStripePayments({ apiKey: 'sk_test_shop', apiUrl, limits });
  const app = createApp({ ...shop.services, payments });
  const place = (key: string = crypto.randomUUID()) => placeOrder(apiOf(app), {}, { key });
  return { app, place, payments };
}

const readiness = z.looseObject({
  status: z.string(),
  dependencies: z.looseObject({
    payments: z.looseObject({ status: z.string(), reasons: z.array(z.string()).optional() }),
  }),
});
async function ready(app = createApp(shop.services)) {
  return readiness.parse(await (await app.request('/readyz')).json());
}

describe('a refusal of the request', () => {
  test.each([
    [{ status: 400, code: 'parameter_unknown', param: 'x' }, 422, 'parameter_unknown'],
    [{ status: 400, code: 'currency_not_supported', param: 'currency' }, 422, undefined],
    [{ status: 400, code: 'parameter_invalid_integer', param: 'amount' }, 422, undefined],
    [{ status: 400, code: 'account_invalid' }, 422, undefined],
    [{ status: 400 }, 422, 'invalid_request'],
    [{ status: 404, code: 'resource_missing', param: 'customer' }, 422, 'resource_missing'],
    [{ status: 422, code: 'unexpected' }, 422, undefined],
    [{ status: 400, code: 'payment_method_unactivated' }, 402, undefined],
    [{ status: 400, code: 'amount_too_small', param: 'amount' }, 402, undefined],
    [{ status: 402, code: 'card_declined' }, 402, 'card_declined'],
    [{ status: 402, code: 'Prose about Ada Lovelace' }, 402, 'card_declined'],
  ])(
    'an order refused with %j gets %i with a code, on every retry, and releases its units at once',
    async (error: Omit<FaultSpec, 'mode'>, status, code = error.code) => {
      const before = await held();
      const key = crypto.randomUUID();
      reject({ ...error, times: 1 });
      const first = await shop.place({}, key);
      expect(await held()).toBe(before);
      const body = await first.clone().text();
      const { [status === 422 ? 'provider_code' : 'decline_code']: given, ...problem } =
        await problemOf(first);
      expect(problem).toMatchObject({
        status,
        code: status === 422 ? 'payment_refused' : 'payment_declined',
      });
      expect(given).toBe(code);
      for (const _ of [1, 2]) {
        const again = await shop.place({}, key);
        expect([again.status, await again.text()]).toEqual([status, body]);
        expect(again.headers.get('idempotent-replayed')).toBe('true');
      }
      const { orderId } = await shop.db.idempotencyKey.findFirstOrThrow({
        where: { key: storedKey(key) },
      });
      expect(await shop.db.order.findUnique({ where: { id: orderId ?? '' } })).toMatchObject({
        status: 'declined',
      });
    },
  );
});

describe('refused credentials', () => {
  test.each([
    { status: 401, code: 'api_key_expired' },
    { status: 401 },
    { status: 403, code: 'account_closed' },
    { status: 403, code: 'rak_permissions_missing' },
  ])(
    'an order while the provider responds %j gets 503 and holds nothing, /readyz says why, and its retry is placed',
    async (error) => {
      const [before, key] = [await held(), crypto.randomUUID()];
      reject(error);
      for (const _ of [1, 2, 3]) {
        const response = await shop.place({}, key);
        expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(await problemOf(response)).toMatchObject({
          status: 503,
          code: 'payment_unavailable',
          retryable: true,
        });
        expect(await held()).toBe(before);
      }
      const { status, dependencies } = await ready();
      expect([status, dependencies.payments.status]).toEqual(['degraded', 'degraded']);
      expect(dependencies.payments.reasons).toEqual([
        `payments.authorize: the payment provider refuses our credentials or account (http_${error.status})`,
      ]);
      shop.sandbox.faults.clear();
      const placed = await shop.place({}, key);
      expect(placed.status).toBe(201);
      expect(paymentEffects(shop, (await orderOf(placed)).id)).toEqual({ authorize: 1 });
      expect((await ready()).dependencies.payments).toEqual(
        expect.not.objectContaining({ reasons: expect.anything() }),
      );
    },
  );

  test('credentials refused after a lost response keep the order, and its retry finds the authorization', async () => {
    const key = crypto.randomUUID();
    const find = { provider: 'payments', operation: 'lookup' } as const;
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    shop.sandbox.faults.set(find, { mode: 'down', times: 1 });
    expect((await shop.place({}, key)).status).toBe(503);
    reject({ status: 401, times: 1 });
    expect((await shop.place({}, key)).status).toBe(503);
    const placed = await shop.place({}, key);
    expect(placed.status).toBe(201);
    expect(paymentEffects(shop, (await orderOf(placed)).id)).toEqual({ authorize: 1 });
  });
});

describe('a busy provider', () => {
  test.each([
    { status: 429, code: 'rate_limit' },
    { status: 429, code: 'lock_timeout' },
    { status: 400, code: 'rate_limit' },
    { status: 409, code: 'idempotency_key_in_use', type: 'idempotency_error' },
  ])('an order waits for %j and is placed within its request', async (error) => {
    reject({ ...error, times: 2 });
    const response = await shop.place();
    expect(response.status).toBe(201);
    expect(shop.sandbox.faults.list()).toMatchObject([{ fired: 2 }]);
    expect(paymentEffects(shop, (await orderOf(response)).id)).toEqual({ authorize: 1 });
  });

  test('an order at a provider that asks for a minute gets 503 with that minute, and holds nothing', async () => {
    const before = await held();
    reject({ status: 429, code: 'rate_limit', retry_after: '60' });
    const response = await shop.place();
    expect(response.headers.get('retry-after')).toBe('60');
    expect((await problemOf(response)).code).toBe('payment_unavailable');
    expect(await held()).toBe(before);
  });

  test('a hundred orders that are refused or limited leave the breaker closed', async () => {
    // One of their hundred calls may miss its deadline on a busy machine: these have a long one.
    const each = quickLimits({ breakAfter: 1 });
    const limits = { authorize: each, find: each, lookup: each, settle: each };
    const { place, payments } = shopWith(limits);
    for (const status of [400, 402, 409, 429]) {
      reject({ status, retry_after: '60' });
      for (let i = 0; i < 25; i += 1) await place();
    }
    expect(payments.breakers().map(({ state }) => state)).not.toContain('open');
  });
});

describe('slow cards', () => {
  const deadlineOf = (authorizeDeadlineMs: number) =>
    createLimits({ authorizeDeadlineMs }).payments;
  const slow = { mode: 'latency', latency_ms: 1_500 } as const;

  test('five slow cards leave the shop open: the sixth order is placed', async () => {
    const { place, payments } = shopWith(deadlineOf(500));
    shop.sandbox.faults.set(AUTHORIZE, { ...slow, times: 5 });
    const late = await Promise.all([1, 2, 3, 4, 5].map(() => place()));
    expect(late.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
    expect(payments.breakers()).toContainEqual(
      expect.objectContaining({ name: 'payments.authorize', state: 'closed' }),
    );
    // On a busy machine one of the five may have met its deadline before the provider was asked.
    await eventually(async () => expect((await place()).status).toBe(201));
  });

  test('a provider of which most answers are slow opens the breaker', async () => {
    const { app, place, payments } = shopWith(deadlineOf(500));
    shop.sandbox.faults.set(AUTHORIZE, slow);
    await Promise.all(Array.from({ length: 10 }, () => place()));
    expect(payments.breakers()).toContainEqual(
      expect.objectContaining({ name: 'payments.authorize', state: 'open' }),
    );
    expect((await ready(app)).dependencies.payments.reasons).toContainEqual(
      'payments.authorize: circuit breaker open, last error: no answer from the payment provider in time',
    );
  });

  test('a longer deadline places the orders of slow cards', async () => {
    const { place } = shopWith(deadlineOf(10_000));
    shop.sandbox.faults.set(AUTHORIZE, slow);
    expect((await place()).status).toBe(201);
  });
});
