import { describe, expect } from 'vitest';
import type { Permit, Rejection } from '../../api/limits/concurrency-limit.ts';
import { CONCURRENCY_LIMITS } from '../../api/limits/request-class.ts';
import { createApp } from '../../api/app.ts';
import type { CheckoutClient } from '../../temporal/checkout-client.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createGate } from '../support/gate.ts';
import { eventually } from '../support/eventually.ts';
import { connected, LIMITS, permitOf } from '../api/low-limits.ts';
import { placeOrder } from '../support/client.ts';
import { createRecorders } from '../support/recorders.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { openShopForTest, paymentEffects } from '../support/shop.ts';
import { test } from './matrix-case.ts';
import { times } from '../support/times.ts';

describe('a shutdown', () => {
  test('a shutdown rejects queued and new orders with 503 and Retry-After', async () => {
    const limits = { ...LIMITS, maxRunning: 1, minRunning: 1 };
    const shop = await openShopForTest({
      concurrencyLimits: { checkout: limits, other: limits, slow: limits },
    });
    const { checkout } = shop.services.limiters;
    const running = await checkout.acquire(connected());
    const queued = shop.place();
    await eventually(() => expect(checkout.view()).toMatchObject({ running: 1, queued: 1 }));
    const closing = shop.services.close();
    for (const refused of [await queued, await shop.place()]) {
      expect([refused.status, (await problemOf(refused)).code]).toEqual([503, 'overloaded']);
      expect(refused.headers.get('retry-after')).toMatch(/^[123]$/);
    }
    expect(checkout.view()).toMatchObject({ running: 1, queued: 0, rejected: { stopping: 2 } });
    permitOf(running).release();
    await closing;
    expect(await shop.db.order.count()).toBe(0);
  });
});

describe('an overloaded API', () => {
  const few = { maxRunning: 2, maxQueued: 2, maxStalled: 2 };
  const full = { ...LIMITS, ...few };
  const crowded = { checkout: full, other: full, slow: full };
  test('[infra/overload] a full order queue rejects an order before parsing it, and all other requests are served', async (proof) => {
    const { payments, respond } = heldPayments();
    const shop = await openShopForTest({ concurrencyLimits: crowded, payments });
    await shop.request('GET', '/v1/products');
    const responses = times(4, () => shop.place());
    const { checkout } = shop.services.limiters;
    await eventually(() => expect(checkout.view()).toMatchObject({ running: 2, queued: 2 }));
    const shed = await shop.request('POST', '/v1/orders', { key: 'shed', body: 'no JSON' });
    expect([shed.status, (await problemOf(shed)).code]).toEqual([503, 'overloaded']);
    proof.fired(1);
    expect(shed.headers.get('retry-after')).toMatch(/^[123]$/);
    for (const path of ['/livez', '/metrics', '/v1/products', '/openapi.json']) {
      expect((await shop.request('GET', path)).status, path).toBe(200);
    }
    const callback = await shop.request('POST', '/callbacks/warehouse', { role: null, body: {} });
    expect((await problemOf(callback)).code).toBe('invalid_signature');
    const metrics = await (await shop.request('GET', '/metrics', { role: null })).text();
    for (const line of [
      'holdfast_requests_running{class="checkout"} 2',
      'holdfast_requests_queued{class="checkout"} 2',
      'holdfast_requests_rejected_total{class="checkout",reason="queue_full"} 1',
    ]) {
      expect(metrics).toContain(line);
    }
    respond();
    expect((await Promise.all(responses)).map(({ status }) => status)).toEqual([
      201, 201, 201, 201,
    ]);
    expect((await shop.place({}, 'shed')).status).toBe(201);
  });

  test('cancels that wait for the workflow block neither reads nor new orders', async () => {
    const gate = createGate();
    const cancel: CheckoutClient['cancel'] = async () => {
      await gate.opened;
      return { kind: 'accepted', pendingCompensations: [] };
    };
    const checkouts = { ...createRecorders().checkouts, cancel };
    const shop = await openShopForTest({ temporal: { checkouts }, concurrencyLimits: crowded });
    const { id } = await orderOf(await shop.place());
    const cancels = times(4, (nth) =>
      shop.request('POST', `/v1/orders/${id}/cancel`, { key: `cancel-${nth}` }),
    );
    const { slow } = shop.services.limiters;
    await eventually(() => expect(slow.view()).toMatchObject({ running: 2, queued: 2 }));
    const fifth = await shop.request('POST', `/v1/orders/${id}/cancel`, { key: 'cancel-5' });
    expect([fifth.status, (await problemOf(fifth)).code]).toEqual([503, 'overloaded']);
    for (const path of ['/v1/products', `/v1/orders/${id}`]) {
      expect((await shop.request('GET', path)).status, path).toBe(200);
    }
    expect((await shop.place()).status).toBe(201);
    gate.open();
    expect((await Promise.all(cancels)).map(({ status }) => status)).toEqual([202, 202, 202, 202]);
  });
});

describe('a request that may wait or stream', () => {
  const one = { ...LIMITS, maxRunning: 1, minRunning: 1, maxQueued: 0, maxStalled: 0 };
  const low = { checkout: LIMITS, other: one, slow: LIMITS };
  const stream = { accept: 'text/event-stream' };
  const wait = { prefer: 'wait=0' };

  test('a request that may wait or stream is rejected while no permit is free, and served afterwards', async () => {
    const shop = await openShopForTest({ concurrencyLimits: low });
    const order = `/v1/orders/${(await orderOf(await shop.place())).id}`;
    const taken = await shop.services.limiters.other.acquire(connected());
    const requests: [string, Readonly<Record<string, string>>][] = [
      ['/v1/stock', wait],
      ['/v1/stock', stream],
      ['/v1/events', stream],
      [`${order}/timeline`, stream],
      [order, wait],
    ];
    for (const [path, headers] of requests) {
      const response = await shop.request('GET', path, { role: 'operator', headers });
      expect((await problemOf(response)).code, path).toBe('overloaded');
    }
    // Shoppers browse on: the catalog has permits of its own.
    expect((await shop.request('GET', '/v1/products')).status).toBe(200);
    permitOf(taken).release();
    for (const [path, headers] of requests) {
      const response = await shop.request('GET', path, { role: 'operator', headers });
      expect(response.status, path).toBe(200);
      await response.body?.cancel();
    }
  });

  test('a read with Prefer: wait releases its permit during the wait and needs a new one afterwards', async () => {
    const shop = await openShopForTest({ concurrencyLimits: low });
    const { id } = await orderOf(await shop.place());
    const { other } = shop.services.limiters;
    const acquired: (Permit | Rejection)[] = [];
    const untilSettled = async () => acquired.push(await other.acquire(connected())) > 0;
    const app = createApp({
      ...shop.services,
      waiters: { ...shop.services.waiters, untilSettled },
    });
    const headers = { ...wait, authorization: 'Bearer hf_local_storefront' };
    const response = await app.request(`/v1/orders/${id}`, { headers });
    permitOf(acquired[0]);
    expect((await problemOf(response)).code).toBe('overloaded');
  });
});

describe('an abandoned request', () => {
  test('a queued order whose client disconnects leaves the queue without an order or a charge', async () => {
    const limits = { ...LIMITS, maxRunning: 1, minRunning: 1 };
    const { payments, respond } = heldPayments();
    const concurrencyLimits = { ...CONCURRENCY_LIMITS, checkout: limits };
    const shop = await openShopForTest({ concurrencyLimits, payments });
    const running = shop.place();
    const { checkout } = shop.services.limiters;
    await eventually(() => expect(checkout.view().running).toBe(1));
    const client = new AbortController();
    const waiting = placeOrder(shop.api, {}, { signal: client.signal });
    await eventually(() => expect(checkout.view().queued).toBe(1));
    client.abort();
    await waiting;
    respond();
    expect((await running).status).toBe(201);
    expect(await shop.db.order.count()).toBe(1);
    expect(paymentEffects(shop)).toEqual({ authorize: 1 });
  });

  test('an order whose client disconnects during authorization is placed, and its retry creates no second one', async () => {
    const { payments, respond, requests } = heldPayments();
    const shop = await openShopForTest({ payments });
    const client = new AbortController();
    const first = placeOrder(shop.api, {}, { key: 'kept', signal: client.signal });
    await eventually(() => expect(requests()).toBe(1));
    client.abort();
    respond();
    await first;
    expect(await shop.db.order.findMany()).toMatchObject([{ status: 'placed' }]);
    const again = await shop.place({}, 'kept');
    expect(again.status).toBe(201);
    expect(await shop.db.order.count()).toBe(1);
    expect(paymentEffects(shop)).toEqual({ authorize: 1 });
  });
});

/** A payment provider that authorizes at once, and responds when `respond` is called. */
function heldPayments() {
  const gate = createGate();
  let requests = 0;
  const payments = (real: PaymentGateway): PaymentGateway => ({
    ...real,
    async authorize(request) {
      const outcome = await real.authorize(request);
      requests += 1;
      await gate.opened;
      return outcome;
    },
  });
  return { payments, respond: gate.open, requests: () => requests };
}
