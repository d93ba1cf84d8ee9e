import { describe, expect, onTestFinished } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { createApp } from '../../api/app.ts';
import { createServices } from '../../api/context.ts';
import { PAYMENT_LIMITS } from '../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { createGate } from '../support/gate.ts';
import { heldMugs } from '../support/orders.ts';
import { eventually } from '../support/eventually.ts';
import { apiOf, placeOrder } from '../support/client.ts';
import { problemOf } from '../support/responses.ts';
import { openShopForTest, paymentEffects, type Shop, type ShopOptions } from '../support/shop.ts';
import { test } from './matrix-case.ts';
import { times } from '../support/times.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
/** With the production timeouts of the database. */
const openPunctualShop = (options: ShopOptions = {}): Promise<Shop> =>
  openShopForTest({ ...options, timeoutFactor: 1 });

describe('an exhausted connection pool', () => {
  const POOL = 4;

  /** Takes all connections; resolves when they are taken, and gives what gives them back. */
  async function holdAll({ db }: Shop): Promise<() => Promise<void>> {
    const gate = createGate();
    let held = 0;
    const holders = times(POOL, () =>
      db.$transaction(
        async (tx) => {
          await tx.$executeRaw`SET LOCAL idle_in_transaction_session_timeout = 0`;
          held += 1;
          await gate.opened;
        },
        { timeout: 60_000 },
      ),
    );
    await eventually(() => expect(held).toBe(POOL));
    return async () => {
      gate.open();
      await Promise.allSettled(holders);
    };
  }
  test('[infra/pool-exhausted] requests get Retry-After while the pool is exhausted, then succeed, and no connection is lost', async (proof) => {
    const shop = await openPunctualShop({ poolSize: POOL });
    await shop.request('GET', '/v1/products');
    const giveBack = await holdAll(shop);
    const requests = [
      ...times(100, () => shop.place()),
      shop.request('GET', '/v1/orders', { role: 'operator' }),
    ];
    const responses = await Promise.all(requests);
    proof.fired(responses.length);
    for (const response of responses) {
      expect(response.headers.get('retry-after')).toBe('2');
      expect((await problemOf(response)).code).toBe('database_unavailable');
    }
    await giveBack();
    await eventually(async () => expect((await shop.place()).status).toBe(201));
    await eventually(async () => {
      const busy = await shop.db.$queryRaw`
        SELECT pid, state FROM pg_stat_activity WHERE datname = current_database()
          AND application_name = 'holdfast' AND state <> 'idle' AND pid <> pg_backend_pid()`;
      expect(busy).toEqual([]);
    });
    // As many at once as there are connections: not one of them is lost.
    const all = await holdAll(shop);
    await all();
  });
});

test('a transaction that times out is classified as an unavailable database', async () => {
  const shop = await openPunctualShop();
  const late = shop.db.$transaction(
    async (tx) => {
      await tx.$queryRaw`SELECT pg_sleep(0.2)::text`;
      await tx.$queryRaw`SELECT 1`;
    },
    { timeout: 50 },
  );
  const error: unknown = await late.catch((thrown: unknown) => thrown);
  expect(isDatabaseUnavailable(error)).toBe(true);
});

describe('an unresponsive payment provider', () => {
  /** The shop with a breaker that opens at once and stays open for so long. */
  function withBreaker(shop: Shop, halfOpenAfterMs: number) {
    const authorize = { ...PAYMENT_LIMITS.authorize, breakAfter: 1, halfOpenAfterMs };
    const payments = createStripePayments({
      apiKey: 'sk_test_shop',
      apiUrl: shop.sandbox.url,
      limits: { ...PAYMENT_LIMITS, authorize: { ...authorize, deadlineMs: 10_000 } },
    });
    const services = createServices({ ...shop.services, payments });
    onTestFinished(services.close);
    const app = createApp(services);
    const place = (key: string, changes: object = {}) => placeOrder(apiOf(app), changes, { key });
    return { app, place };
  }

  test('an open circuit refuses an order with Retry-After before anything is written', async () => {
    const shop = await openPunctualShop();
    const { app, place } = withBreaker(shop, 60_000);
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'fail_before' });
    expect((await place('first')).status).toBe(503);
    const before = [await shop.db.order.count(), await heldMugs(shop.db)];
    const refused = await place('second');
    expect((await problemOf(refused)).code).toBe('payment_unavailable');
    const waitSeconds = Number(refused.headers.get('retry-after'));
    expect(waitSeconds).toBeGreaterThan(30);
    expect(waitSeconds).toBeLessThanOrEqual(60);
    expect([await shop.db.order.count(), await heldMugs(shop.db)]).toEqual(before);
    expect(await shop.db.idempotencyKey.count({ where: { key: storedKey('second') } })).toBe(0);
    expect((await place('third', { lines: [{ sku: 'nope', quantity: 1 }] })).status).toBe(422);

    const ready = await app.request('/readyz');
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { status: 'degraded', dependencies: { payments: { status: 'degraded' } } },
    ]);
    const metrics = await (await app.request('/metrics')).text();
    expect(metrics).toContain('holdfast_breaker_state{breaker="payments.authorize"} 2');
    expect(metrics).toContain(
      'holdfast_breaker_transitions_total{breaker="payments.authorize",state="open"} 1',
    );
  });

  test('a half-open circuit lets one of ten orders through and writes no other, and later orders succeed', async () => {
    const shop = await openPunctualShop();
    const { place } = withBreaker(shop, 300);
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'fail_before', times: 1 });
    expect((await place('opens')).status).toBe(503);
    // While the probe is under way: long enough for all the others to be answered.
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'latency', latency_ms: 3_000 });
    const before = await shop.db.order.count();
    const responses = await eventually(async () => {
      const tried = await Promise.all(times(10, () => place(crypto.randomUUID())));
      expect(tried.map(({ status }) => status)).toContain(201);
      return tried;
    });
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await shop.db.order.count()).toBe(before + 1);
    shop.sandbox.faults.clear();
    expect((await place('well')).status).toBe(201);
    expect((await place('opens')).status).toBe(201);
  });

  test('an order whose client disconnects before the payment call is withdrawn, and its retry authorizes once', async () => {
    const shop = await openPunctualShop();
    const client = new AbortController();
    const payments = {
      ...shop.gateways.payments,
      authorizeUnavailable: () => {
        client.abort();
        return null;
      },
    };
    const services = createServices({ ...shop.services, payments });
    onTestFinished(services.close);
    const request = { key: 'left', signal: client.signal };
    const first = await placeOrder(apiOf(createApp(services)), {}, request);
    expect((await problemOf(first)).code).toBe('payment_unavailable');
    expect(paymentEffects(shop)).toEqual({});
    expect((await shop.place({}, 'left')).status).toBe(201);
    expect(paymentEffects(shop)).toEqual({ authorize: 1 });
    const orders = await shop.db.order.findMany({ orderBy: { id: 'asc' } });
    expect(orders.map(({ status }) => status)).toEqual(['expired', 'placed']);
  });
});
