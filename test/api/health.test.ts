import { beforeEach, describe, expect, test } from 'vitest';
import { orderBody, placeOrder } from '../support/client.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();
beforeEach(() => {
  shop.draining.now = false;
});

const open = (path: string) => shop.request('GET', path, { role: null });

describe('readiness', () => {
  test('/readyz and /healthz report every dependency with its circuit breakers', async () => {
    for (const path of ['/readyz', '/healthz']) {
      const response = await open(path);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        status: 'ready',
        pid: process.pid,
        dependencies: {
          database: { status: 'up' },
          temporal: { status: 'up' },
          payments: { status: 'up', breakers: { 'payments.authorize': 'closed' } },
          warehouse: { status: 'up', breakers: { 'warehouse.reserve': 'closed' } },
          mail: { status: 'up', breakers: { 'mail.send': 'closed' } },
        },
      });
    }
  });

  test('/readyz returns 200 with the status degraded while Temporal is unavailable', async () => {
    shop.checkouts.reachable = false;
    const response = await open('/readyz');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: 'degraded',
      dependencies: { temporal: { status: 'down' } },
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
    'http_request_duration_seconds_count{method="GET",route="/v1/orders/:id",status="404"} 1',
    'http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).not.toMatch(/ord_nope|secret/);
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
