import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../../api/app.ts';
import { listen, type HttpServer } from '../../../api/server.ts';
import { placedOrder } from '../../support/orders.ts';
import { choosePort } from '../../support/ports.ts';
import { exchange, message, send } from '../../support/raw-http.ts';
import { useShop } from '../../support/shop.ts';
import { READ_ROWS } from './read-rows.ts';
import { REQUEST_ROWS } from './request-rows.ts';
import { JSON_TYPE } from './row.ts';

const shop = useShop();
let server: HttpServer;
let port: number;
const known: Record<string, string> = {};

beforeAll(async () => {
  port = await choosePort();
  const { fetch } = createApp(shop.services);
  server = await listen({ fetch, host: '127.0.0.1', port });
  await shop.stock('letter', 0);
  known['order'] = await placedOrder(shop);
  const endpoint = await shop.request('POST', '/v1/webhook-endpoints', {
    role: 'operator',
    key: 'endpoint',
    body: { url: 'http://127.0.0.1:9/' },
  });
  known['endpoint'] = endpoint.headers.get('location')?.split('/').at(-1) ?? '';
  const customer = await shop.request('POST', '/v1/customers', {
    key: 'customer',
    body: { email: 'letter@example.com', name: 'Ada Lovelace' },
  });
  known['customer'] = customer.headers.get('location')?.split('/').at(-1) ?? '';
  const order = await shop.request('GET', `/v1/orders/${known['order']}`, { role: 'admin' });
  known['tag'] = order.headers.get('etag') ?? '';
});
afterAll(() => server.close(100));

const PUT = { method: 'PUT', target: '/v1/products/letter' };
const LIVEZ = { method: 'GET', target: '/livez' };

describe('a request on the wire', () => {
  test.each([...REQUEST_ROWS, ...READ_ROWS])('$rule: $ask returns $status', async (row) => {
    const [method = '', target = ''] = row.ask.split(' ');
    const response = await send(port, { method, target }, { ...row.sent, known });
    expect(response.status, response.text).toEqual(row.status);
    for (const [name, value] of Object.entries(row.headers ?? {})) {
      const found = response.headers.get(name) ?? null;
      if (value instanceof RegExp) expect(found, name).toMatch(value);
      else expect(found, name).toBe(value);
    }
    if (row.code !== undefined) expect(JSON.parse(response.text).code).toBe(row.code);
    if (row.says) expect(response.text).toMatch(row.says);
  });

  test('a connection is usable after a refused body', async () => {
    const responses = await exchange(port, [
      message(PUT, { headers: [JSON_TYPE], body: 'x'.repeat(70_000) }),
      message(LIVEZ, { headers: ['Connection: close'] }),
    ]);
    expect(responses).toMatch(/^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 /);
  });
});
