import fc from 'fast-check';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createApp, createHealthApp } from '../../api/app.ts';
import { serve } from '../../api/serve.ts';
import { choosePort } from '../support/ports.ts';
import { orderBody, placeOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();
beforeEach(() => {
  shop.draining.now = false;
});

const open = (path: string) => shop.request('GET', path, { role: null });

function expectStatus(response: Response, status: number): Response {
  expect(response.status).toBe(status);
  return response;
}

describe('readiness', () => {
  test('/readyz and /healthz report every dependency with its circuit breakers', async () => {
    for (const path of ['/readyz', '/healthz']) {
      // On a busy machine the database may take longer than the half second it has.
      const response = await eventually(async () => expectStatus(await open(path), 200));
      expect(await response.json()).toMatchObject({
        status: 'ready',
        pid: process.pid,
        dependencies: {
          database: { status: 'up' },
          temporal: { status: 'up' },
          payments: { status: 'up', breakers: { 'payments.authorize': 'closed' } },
          warehouse: { status: 'up', breakers: { 'warehouse.reserve': 'closed' } },
          mail: { status: 'up', breakers: { 'mail.send': 'closed' } },
          sms: { status: 'up', breakers: { 'sms.lookup': 'closed', 'sms.send': 'closed' } },
        },
      });
    }
  });

  test('/readyz returns 200 with the status degraded while Temporal is unavailable', async () => {
    shop.checkouts.reachable = false;
    const response = await eventually(async () => expectStatus(await open('/readyz'), 200));
    expect(await response.json()).toMatchObject({
      status: 'degraded',
      dependencies: { temporal: { status: 'down' } },
    });
  });

  test('/readyz answers without Temporal when Temporal does not answer at all', async () => {
    const unavailableReason = () => new Promise<null>(() => undefined);
    const app = createApp({
      ...shop.services,
      checkouts: { ...shop.checkouts, unavailableReason },
    });
    const response = await eventually(async () => expectStatus(await app.request('/readyz'), 200));
    expect(await response.json()).toMatchObject({
      status: 'degraded',
      dependencies: { temporal: { status: 'down', reason: 'no response within 500 ms' } },
    });
  });

  test('/readyz returns 503 and closes the connection during a shutdown, and /livez returns 200', async () => {
    shop.draining.now = true;
    const response = await open('/readyz');
    expect(response.status).toBe(503);
    expect(response.headers.get('connection')).toBe('close');
    expect(await response.json()).toMatchObject({ status: 'draining' });
    expect((await open('/livez')).status).toBe(200);
  });
});

test('request metrics are labeled by route pattern, never by path', async () => {
  await shop.place();
  await shop.place({ payment_method: 'pm_card_chargeDeclined' });
  await shop.place({ lines: [{ sku: 'sold-out', quantity: 1 }] });
  await shop.request('GET', '/v1/orders/ord_nope');
  await shop.request('GET', '/some/secret/path');
  const text = await (await open('/metrics')).text();
  for (const line of [
    'holdfast_order_requests_total{outcome="placed"} 1',
    'holdfast_order_requests_total{outcome="payment_declined"} 1',
    'holdfast_order_requests_total{outcome="out_of_stock"} 1',
    'holdfast_breaker_state{breaker="payments.authorize"} 0',
    'holdfast_messages_not_understood_total{source="payments"} 0',
    'holdfast_oldest_order_seconds{status="paid"} 0',
    'http_request_duration_seconds_count{method="GET",route="/v1/orders/:id",status="404"} 1',
    'http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).not.toMatch(/ord_nope|secret/);
});

test('the series of the metrics are bounded, whatever clients request', async () => {
  const segment = fc.oneof(
    fc.constantFrom(
      'v1',
      'orders',
      'products',
      'docs',
      'assets',
      'callbacks',
      'metrics',
      '%00',
      '.',
    ),
    fc.stringMatching(/^[A-Za-z0-9._~%-]{1,20}$/),
  );
  const requests = fc.record({
    method: fc.oneof(
      fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'),
      fc
        .stringMatching(/^[A-Z]{3,12}$/)
        .filter((name) => !['CONNECT', 'TRACE', 'TRACK'].includes(name)),
    ),
    path: fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
    role: fc.constantFrom('storefront', 'admin', null),
  });
  const series = async () => {
    const lines = (await (await open('/metrics')).text()).split('\n');
    const labels = lines.filter((line) => line.startsWith('http_request_duration_seconds_count'));
    return labels.map((line) => line.split('}')[0] ?? '');
  };
  const send = async (count: number, seed: number) => {
    for (const { method, path, role } of fc.sample(requests, { numRuns: count, seed })) {
      await shop.request(method, path, { role });
    }
  };
  await send(1_500, 1);
  const methods = new Set((await series()).map((line) => /method="(\w+)"/.exec(line)?.[1]));
  expect(methods).toEqual(
    new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'other']),
  );
  const routes = new Set((await series()).map((line) => /route="([^"]+)"/.exec(line)?.[1]));
  const known = new Set(createApp(shop.services).routes.map(({ path }) => path));
  expect([...routes].filter((route) => route !== 'unmatched' && !known.has(route ?? ''))).toEqual(
    [],
  );
  // Every label is known: more requests add only what the first ones happened to miss.
  expect((await series()).length).toBeLessThan(200);
});

describe('ids of a request', () => {
  test('the request and correlation ids are returned, and the order keeps the correlation id and the trace', async () => {
    const headers = { 'x-request-id': 'req-7', 'x-correlation-id': 'cart-9' };
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const response = await placeOrder(shop.api, {}, { headers: { ...headers, traceparent } });
    expect(response.headers.get('x-request-id')).toBe('req-7');
    expect(response.headers.get('x-correlation-id')).toBe('cart-9');
    const order = await shop.db.order.findFirstOrThrow({ where: { correlationId: 'cart-9' } });
    expect(order.traceparent).toMatch(/^00-a+-b+-01$/);
    expect(JSON.parse(shop.logged.at(-1) ?? '')).toMatchObject({ trace_id: 'a'.repeat(32) });
  });

  test.each([
    ['of zeros', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['without a parent', `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`],
    ['in upper case', `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`],
  ])('a traceparent %s is ignored', async (_, traceparent) => {
    await shop.request('GET', '/v1/products', { headers: { traceparent } });
    expect(JSON.parse(shop.logged.at(-1) ?? '')).not.toHaveProperty('trace_id');
  });

  test('a problem carries the request id, and a correlation id with an e-mail address is replaced', async () => {
    const headers = { 'x-request-id': 'req-8', 'x-correlation-id': 'ada@example.com' };
    const response = await shop.request('GET', '/v1/orders/x', { headers });
    expect(response.headers.get('x-request-id')).toBe('req-8');
    expect(response.headers.get('x-correlation-id')).toBe('req-8');
    expect(await response.json()).toMatchObject({ request_id: 'req-8' });
  });
});

describe('the log', () => {
  const person = { email: 'canary@example.com', name: 'Canary Person', phone: '+49 30 5550100' };

  test('the log has one line per request with its order, role, and API key id', async () => {
    shop.logged.length = 0;
    const response = await shop.place({ customer: person });
    const lines = shop.logged.map((line) => JSON.parse(line));
    expect(lines.filter(({ msg }) => msg === 'request')).toMatchObject([
      {
        method: 'POST',
        route: '/v1/orders',
        status: 201,
        role: 'storefront',
        api_key_id: 'key_local_storefront',
        order_id: response.headers.get('location')?.split('/').at(-1),
        request_id: response.headers.get('x-request-id'),
      },
    ]);
  });

  test('the log contains no personal data or credentials after success, refusal, bad input, or a database error', async () => {
    shop.logged.length = 0;
    const address = { ...orderBody().shipping_address, line1: '77 Canary Street' };
    const body = { customer: person, shipping_address: address };
    await shop.place(body);
    await shop.place({ ...body, payment_method: 'pm_card_chargeDeclined' });
    await shop.place({ ...body, lines: [{ sku: 'nope', quantity: 1 }] });
    await shop.place({ ...body, currency: person.email });
    await shop.request('POST', '/v1/orders', { key: 'x', body: `{"email":"${person.email}"` });
    await shop.request('GET', `/v1/orders?email=${person.email}`, { role: 'operator' });
    await shop.db.$executeRawUnsafe(
      `ALTER TABLE orders ADD CONSTRAINT broken CHECK (customer_name <> 'Canary Person') NOT VALID`,
    );
    expect((await shop.place(body)).status).toBe(500);
    await shop.db.$executeRawUnsafe('ALTER TABLE orders DROP CONSTRAINT broken');
    const text = shop.logged.join('');
    expect(text).toContain('internal error');
    expect(text).not.toMatch(/canary|5550100|pm_card|hf_local|Bearer|10115/i);
  });
});

describe('in production', () => {
  const CLOSED = [
    '/',
    '/metrics',
    '/docs',
    '/docs/start.js',
    '/docs/assets/swagger-ui.css',
    '/docs/assets/swagger-ui-bundle.js',
    '/openapi.json',
  ];
  const apps = [
    ['API', createApp],
    ['worker', createHealthApp],
  ] as const;

  test.each(apps)(
    'the public port of the %s has no operations, by no method',
    async (_, create) => {
      const app = create(shop.services, false);
      for (const path of CLOSED) {
        for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE']) {
          const response = await app.request(path, { method });
          expect([method, path, response.status]).toEqual([method, path, 404]);
          expect(await response.text()).not.toMatch(/holdfast_|swagger|openapi/);
        }
      }
    },
  );

  test.each(apps)(
    'the readiness of the %s on the public port is its status alone',
    async (_, create) => {
      const app = create(shop.services, false);
      for (const path of ['/readyz', '/healthz']) {
        const ready = await app.request(path);
        expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
      }
      shop.draining.now = true;
      const draining = await app.request('/readyz');
      expect([draining.status, await draining.json()]).toEqual([503, { status: 'draining' }]);
      expect((await app.request('/livez')).status).toBe(200);
    },
  );

  test('the page that every problem links to stays open, with all that it loads', async () => {
    const app = createApp(shop.services, false);
    const page = await app.request('/docs/errors');
    expect(page.status).toBe(200);
    const loaded = [...(await page.text()).matchAll(/<link rel="\w+" href="([^"]+)"/g)];
    expect(loaded).toHaveLength(3);
    for (const [, path = ''] of loaded) expect((await app.request(path)).status, path).toBe(200);
  });
});

describe('the listeners of a process', () => {
  const where = { ROLE: 'api', HOST: '127.0.0.1', OPERATIONS_HOST: '127.0.0.1' } as const;
  const status = async (port: number): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    await response.body?.cancel();
    return response.status;
  };
  const ports = async () => [await choosePort(), await choosePort()] as const;

  test.each([
    ['development, with one port', false, 'none', [200]],
    ['development, with two', false, 'own', [404, 200]],
    ['production, with one port', true, 'none', [404]],
    ['production, with two', true, 'own', [404, 200]],
    ['production, with one number for both', true, 'same', [200]],
  ] as const)(
    'metrics are served as configured in %s',
    async (...[, production, kind, expected]) => {
      const [PORT, own] = await ports();
      const OPERATIONS_PORT = { none: undefined, own, same: PORT }[kind];
      const server = await serve(
        { ...shop.services, production },
        { ...where, PORT, OPERATIONS_PORT },
      );
      onTestFinished(() => server.close(100));
      const open = expected.length === 2 ? [PORT, own] : [PORT];
      expect(await Promise.all(open.map(status))).toEqual(expected);
    },
  );

  test('a port of the operators that is in use is named by its variable', async () => {
    const [PORT, OPERATIONS_PORT] = await ports();
    const first = await serve(shop.services, { ...where, PORT: OPERATIONS_PORT });
    onTestFinished(() => first.close(100));
    const second = serve(shop.services, { ...where, PORT, OPERATIONS_PORT });
    await expect(second).rejects.toThrow('set OPERATIONS_PORT to a free one');
  });

  test('the log has the address of the client, behind as many proxies as are trusted', async () => {
    const [PORT] = await ports();
    const services = { ...shop.services, trustedProxies: 1 };
    const server = await serve(services, { ...where, PORT });
    onTestFinished(() => server.close(100));
    const ask = async (headers: Record<string, string>): Promise<unknown> => {
      await (await fetch(`http://127.0.0.1:${PORT}/livez`, { headers })).text();
      return JSON.parse(shop.logged.at(-1) ?? '').client_ip;
    };
    expect(await ask({})).toBe('127.0.0.1');
    expect(await ask({ 'x-forwarded-for': '1.1.1.1, 203.0.113.7' })).toBe('203.0.113.7');
    expect(await ask({ 'x-forwarded-for': 'ada@example.com' })).toBeUndefined();
  });
});
