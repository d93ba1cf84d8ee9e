import { Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createTrends, quantile } from '../../api/operations/trends.ts';

function watched() {
  const registry = new Registry();
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'x',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.1, 0.2, 1],
    registers: [registry],
  });
  const lag = new Gauge({
    name: 'holdfast_subscription_lag_seconds',
    help: 'x',
    labelNames: ['subscription'],
    registers: [registry],
  });
  const trends = createTrends(registry);
  return { trends, requests, lag };
}
const order = { method: 'POST', route: '/v1/orders' };
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));

test('a point holds what was observed since the point before, and nothing older', async () => {
  const { trends, requests } = watched();
  for (let n = 0; n < 10; n += 1) requests.observe({ ...order, status: '201' }, 0.05);
  await trends.sample(at(10));
  requests.observe({ ...order, status: '201' }, 0.15);
  requests.observe({ ...order, status: '402' }, 0.15);
  requests.observe({ method: 'GET', route: '/v1/orders', status: '200' }, 0.9);
  await trends.sample(at(20));
  await trends.sample(at(30));
  const [first, second, third] = trends.points();
  expect(first?.answerP50).toBeCloseTo(0.05);
  expect(second?.answerP50).toBeCloseTo(0.15);
  expect(second?.at).toBe('2026-01-01T00:00:20.000Z');
  expect(third).toMatchObject({ answerP50: null, answerP99: null, shippedP50: null, lag: null });
});

test('a point holds the lag of the subscription that is furthest behind', async () => {
  const { trends, lag } = watched();
  lag.set({ subscription: 'analytics' }, 3);
  lag.set({ subscription: 'audit' }, 40);
  await trends.sample(at(10));
  expect(trends.points()).toMatchObject([{ lag: 40 }]);
});

test('the last 60 points are kept', async () => {
  const { trends } = watched();
  for (let n = 0; n < 62; n += 1) await trends.sample(at(n));
  expect(trends.points()).toHaveLength(60);
  expect(trends.points()[0]?.at).toBe(at(2).toISOString());
});

test.each([
  [0.5, [], null],
  [
    0.5,
    [
      [1, 0],
      [Infinity, 0],
    ],
    null,
  ],
  [
    0.5,
    [
      [1, 4],
      [Infinity, 4],
    ],
    0.5,
  ],
  [
    0.99,
    [
      [1, 50],
      [2, 100],
      [Infinity, 100],
    ],
    1.98,
  ],
  [
    0.99,
    [
      [1, 50],
      [2, 50],
      [Infinity, 100],
    ],
    2,
  ],
] as const)('the %s quantile of the buckets %j is %s', (share, buckets, expected) => {
  const found = quantile(share, buckets);
  if (expected === null) expect(found).toBeNull();
  else expect(found).toBeCloseTo(expected);
});
