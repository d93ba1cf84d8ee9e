import { afterEach, describe, expect } from 'vitest';
import type { Permit, Rejection } from '../../api/limits/concurrency-limit.ts';
import { CONCURRENCY_LIMITS } from '../../api/limits/request-class.ts';
import { createApp } from '../../api/app.ts';
import type { CheckoutClient } from '../../temporal/checkout-client.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { eventually } from '../support/eventually.ts';
import { connected, LIMITS, permitOf, times } from '../api/low-limits.ts';
import { placeOrder } from '../support/client.ts';
import { createRecorders } from '../support/recorders.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { openShop, paymentEffects, type Shop, type ShopOptions } from '../support/shop.ts';
import { test } from './matrix-case.ts';

const shops: Shop[] = [];
afterEach(async () => {
  await Promise.all(shops.splice(0).map((each) => each.close()));
});
async function useShop(options: ShopOptions = {}): Promise<Shop> {
  const shop = await openShop(options);
  shops.push(shop);
  return shop;
}

describe('a shutdown', () => {
  test('a shutdown rejects queued and new orders with 503 and Retry-After', async () => {
    const limits = { ...LIMITS, maxRunning: 1, minRunning: 1 };
    const shop = await useShop({
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
  test('[infra/overload] a full order queue rejects an order before parsing it, and all other requests are served', async ({
    proof,
  }) => {
    const { payments, letAnswer } = heldPayments();
    const shop = await useShop({ concurrencyLimits: crowded, payments });
    await shop.ask('GET', '/v1/products');
    const answers = times(4, () => shop.place());
    const { checkout } = shop.services.limiters;
    await eventually(() => expect(checkout.view()).toMatchObject({ running: 2, queued: 2 }));
    const shed = await shop.ask('POST', '/v1/orders', { key: 'shed', body: 'no JSON' });
    expect([shed.status, (await problemOf(shed)).code]).toEqual([503, 'overloaded']);
    proof.fired(1);
    expect(shed.headers.get('retry-after')).toMatch(/^[123]$/);
    for (const path of ['/livez', '/metrics', '/v1/products', '/openapi.json']) {
      expect((await shop.ask('GET', path)).status, path).toBe(200);
    }
    const callback = await shop.ask('POST', '/callbacks/warehouse', { role: null, body: {} });
    expect((await problemOf(callback)).code).toBe('invalid_signature');
    const metrics = await (await shop.ask('GET', '/metrics', { role: null })).text();
    for (const line of [
      'holdfast_requests_running{class="checkout"} 2',
      'holdfast_requests_queued{class="checkout"} 2',
      'holdfast_requests_rejected_total{class="checkout",reason="queue_full"} 1',
    ]) {
      expect(metrics).toContain(line);
    }
    letAnswer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect((await shop.place({}, 'shed')).status).toBe(201);
  });

  test('cancels that wait for the workflow block neither reads nor new orders', async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const cancel: CheckoutClient['cancel'] = async () => {
      await answered;
      return { kind: 'accepted', pendingCompensations: [] };
    };
    const checkouts = { ...createRecorders().checkouts, cancel };
    const shop = await useShop({ temporal: { checkouts }, concurrencyLimits: crowded });
    const { id } = await orderOf(await shop.place());
    const cancels = times(4, (nth) =>
      shop.ask('POST', `/v1/orders/${id}/cancel`, { key: `cancel-${nth}` }),
    );
    const { slow } = shop.services.limiters;
    await eventually(() => expect(slow.view()).toMatchObject({ running: 2, queued: 2 }));
    const fifth = await shop.ask('POST', `/v1/orders/${id}/cancel`, { key: 'cancel-5' });
    expect([fifth.status, (await problemOf(fifth)).code]).toEqual([503, 'overloaded']);
    for (const path of ['/v1/products', `/v1/orders/${id}`]) {
      expect((await shop.ask('GET', path)).status, path).toBe(200);
    }
    expect((await shop.place()).status).toBe(201);
    answer();
    expect((await Promise.all(cancels)).map(({ status }) => status)).toEqual([202, 202, 202, 202]);
  });
});

describe('a request that may wait or stream', () => {
  const one = { ...LIMITS, maxRunning: 1, minRunning: 1, maxQueued: 0, maxStalled: 0 };
  const low = { checkout: LIMITS, other: one, slow: LIMITS };
  const stream = { accept: 'text/event-stream' };
  const wait = { prefer: 'wait=0' };

  test('a request that may wait or stream is rejected while no permit is free, and served afterwards', async () => {
    const shop = await useShop({ concurrencyLimits: low });
    const order = `/v1/orders/${(await orderOf(await shop.place())).id}`;
    const taken = await shop.services.limiters.other.acquire(connected());
    const asked: [string, Readonly<Record<string, string>>][] = [
      ['/v1/products', wait],
      ['/v1/products', stream],
      ['/v1/events', stream],
      [`${order}/timeline`, stream],
      [order, wait],
    ];
    for (const [path, headers] of asked) {
      const answer = await shop.ask('GET', path, { role: 'operator', headers });
      expect((await problemOf(answer)).code, path).toBe('overloaded');
    }
    permitOf(taken).release();
    for (const [path, headers] of asked) {
      const answer = await shop.ask('GET', path, { role: 'operator', headers });
      expect(answer.status, path).toBe(200);
      await answer.body?.cancel();
    }
  });

  test('a read with Prefer: wait releases its permit during the wait and needs a new one afterwards', async () => {
    const shop = await useShop({ concurrencyLimits: low });
    const { id } = await orderOf(await shop.place());
    const { other } = shop.services.limiters;
    const acquired: (Permit | Rejection)[] = [];
    const untilSettled = async () => void acquired.push(await other.acquire(connected()));
    const app = createApp({
      ...shop.services,
      waiters: { ...shop.services.waiters, untilSettled },
    });
    const headers = { ...wait, authorization: 'Bearer hf_local_storefront' };
    const answer = await app.request(`/v1/orders/${id}`, { headers });
    permitOf(acquired[0]);
    expect((await problemOf(answer)).code).toBe('overloaded');
  });
});

describe('an abandoned request', () => {
  test('a queued order whose client disconnects leaves the queue without an order or a charge', async () => {
    const limits = { ...LIMITS, maxRunning: 1, minRunning: 1 };
    const { payments, letAnswer } = heldPayments();
    const concurrencyLimits = { ...CONCURRENCY_LIMITS, checkout: limits };
    const shop = await useShop({ concurrencyLimits, payments });
    const running = shop.place();
    const { checkout } = shop.services.limiters;
    await eventually(() => expect(checkout.view().running).toBe(1));
    const client = new AbortController();
    const waiting = placeOrder(shop.api, {}, { signal: client.signal });
    await eventually(() => expect(checkout.view().queued).toBe(1));
    client.abort();
    await waiting;
    letAnswer();
    expect((await running).status).toBe(201);
    expect(await shop.db.order.count()).toBe(1);
    expect(paymentEffects(shop)).toEqual({ authorize: 1 });
  });

  test('an order whose client disconnects during authorization is placed, and its retry creates no second one', async () => {
    const { payments, letAnswer, asked } = heldPayments();
    const shop = await useShop({ payments });
    const client = new AbortController();
    const first = placeOrder(shop.api, {}, { key: 'kept', signal: client.signal });
    await eventually(() => expect(asked()).toBe(1));
    client.abort();
    letAnswer();
    await first;
    expect(await shop.db.order.findMany()).toMatchObject([{ status: 'placed' }]);
    const again = await shop.place({}, 'kept');
    expect(again.status).toBe(201);
    expect(await shop.db.order.count()).toBe(1);
    expect(paymentEffects(shop)).toEqual({ authorize: 1 });
  });
});

/** A payment provider that does what it is asked, and whose answers come when they are let. */
function heldPayments() {
  let [letAnswer, asked] = [(): void => undefined, 0];
  const until = new Promise<void>((resolve) => {
    letAnswer = resolve;
  });
  const payments = (real: PaymentGateway): PaymentGateway => ({
    ...real,
    async authorize(request) {
      const outcome = await real.authorize(request);
      asked += 1;
      await until;
      return outcome;
    },
  });
  return { payments, letAnswer, asked: () => asked };
}
