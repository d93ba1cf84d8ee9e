import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { PROBLEMS } from '../../api/http/problems.ts';
import { closeDatabase, createDatabase } from '../../prisma/client/client.ts';
import { createGate } from '../support/gate.ts';
import { problemOf } from '../support/responses.ts';
import { apiOf, orderBody, placeOrder } from '../support/client.ts';
import { openShopForTest, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

/** A closed port: port 1 is reserved and unused on test machines. */
const NOWHERE = 'postgresql://holdfast:holdfast@127.0.0.1:1/nowhere';

const shop = useShop();
const notReached = () => {
  throw new Error('the database took the value');
};

describe('a problem response', () => {
  test('a request to an unknown path returns the problem not_found', async () => {
    for (const path of ['/nope', '/v1/nope', '/docs/assets/package.json']) {
      expect((await problemOf(await shop.request('GET', path))).code).toBe('not_found');
    }
  });

  test.each([
    ['DELETE', '/v1/orders', 'GET, HEAD, OPTIONS, POST'],
    ['PUT', '/v1/orders/x', 'GET, HEAD, OPTIONS'],
    ['GET', '/v1/orders/x/cancel', 'OPTIONS, POST'],
    ['POST', '/v1/products/x', 'GET, HEAD, OPTIONS, PATCH, PUT'],
    ['GET', '/v1/dead-letters/x/redrive', 'OPTIONS, POST'],
    ['DELETE', '/v1/dead-letters/redrive', 'OPTIONS, POST'],
    ['GET', '/callbacks/warehouse', 'OPTIONS, POST'],
    ['POST', '/readyz', 'GET, HEAD, OPTIONS'],
  ])('%s %s returns the problem method_not_allowed with Allow: %s', async (method, path, allow) => {
    const response = await shop.request(method, path);
    expect(response.headers.get('allow')).toBe(allow);
    expect((await problemOf(response)).code).toBe('method_not_allowed');
  });

  test.each([
    ['lines', { ...orderBody(), lines: times(5_000, () => ({})) }],
    ['unknown members', Object.fromEntries(times(5_000, (at) => [`m${at}`, 0]))],
  ])('a request with 5,000 invalid %s gets the first hundred errors', async (_what, body) => {
    const response = await shop.request('POST', '/v1/orders', { key: 'errors', body });
    const problem = await problemOf(response);
    expect(problem.code).toBe('invalid_request');
    expect(problem.errors).toHaveLength(100);
  });

  test('an unexpected error returns 500 with the detail "internal error" and nothing of its cause', async () => {
    const broken = createApp({
      ...shop.services,
      productCache: {
        ...shop.services.productCache,
        find: () => Promise.reject(new Error('secret')),
      },
    });
    const response = await broken.request('/v1/products/x', {
      headers: { authorization: 'Bearer hf_local_storefront' },
    });
    expect(response.headers.get('x-request-id')).toBeTruthy();
    const text = await response.clone().text();
    expect(text).not.toContain('secret');
    expect(await problemOf(response)).toMatchObject({
      status: 500,
      code: 'internal_error',
      detail: 'internal error',
    });
  });

  test('a value that only the database refuses returns 422 in words, and an error in the log', async () => {
    const leaky = createApp({
      ...shop.services,
      productCache: {
        ...shop.services.productCache,
        find: () =>
          shop.db.product.findUniqueOrThrow({ where: { sku: 'secret\0' } }).then(notReached),
      },
    });
    const response = await leaky.request('/v1/products/x', {
      headers: { authorization: 'Bearer hf_local_storefront' },
    });
    expect(await response.clone().text()).not.toContain('secret');
    expect(await problemOf(response)).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(shop.logged.some((line) => line.includes('refused a value'))).toBe(true);
  });

  test('the type of a problem links to a page that describes every problem', async () => {
    const { type, code } = await problemOf(await shop.request('GET', '/nope'));
    const [path, anchor] = type.split('#');
    const page = await shop.request('GET', path ?? '', { role: null });
    expect(page.status).toBe(200);
    expect(anchor).toBe(code);
    const html = await page.text();
    for (const each of Object.keys(PROBLEMS)) expect(html).toContain(`id="${each}"`);
  });
});

describe('an unavailable database', () => {
  test('requests get Retry-After and /readyz returns 503 without a database, and /livez returns 200', async () => {
    const away = await openShopForTest({ databaseUrl: NOWHERE, timeoutFactor: 1 });
    for (const response of [
      await away.place(),
      await away.request('GET', '/v1/products'),
      await away.request('PUT', '/v1/products/x', { role: 'admin', body: {} }),
    ]) {
      expect(response.headers.get('retry-after')).toBe('2');
      expect((await problemOf(response)).code).toBe('database_unavailable');
    }
    const ready = await away.request('GET', '/readyz', { role: null });
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      status: 'unavailable',
      dependencies: { database: { status: 'down' } },
    });
    expect((await away.request('GET', '/livez', { role: null })).status).toBe(200);
  });

  test('orders return 201 or 503 after their database connections are cut, and the next order succeeds', async () => {
    await shop.place();
    await shop.db.$executeRaw`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    const responses = await Promise.all(times(10, () => shop.place()));
    for (const { status } of responses) expect([201, 503]).toContain(status);
    expect((await shop.place()).status).toBe(201);
  });

  test('an order is refused as database_unavailable when no connection becomes free in time', async () => {
    const tiny = createDatabase({ url: shop.databaseUrl, poolSize: 1 });
    const app = createApp({ ...shop.services, db: tiny });
    const gate = createGate();
    const hogging = tiny.$transaction(() => gate.opened);
    try {
      const response = await placeOrder(apiOf(app));
      expect((await problemOf(response)).code).toBe('database_unavailable');
    } finally {
      gate.open();
      await hogging;
      await closeDatabase(tiny);
    }
  });
});

describe('the API reference', () => {
  test('the API reference page loads only local files, and each of them is served', async () => {
    const document = await shop.request('GET', '/openapi.json', { role: null });
    expect(await document.json()).toMatchObject({ openapi: '3.1.0' });
    const page = await (await shop.request('GET', '/docs', { role: null })).text();
    expect(page).not.toMatch(/https?:\/\//);
    for (const [, path] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect((await shop.request('GET', path ?? '', { role: null })).status, path).toBe(200);
    }
    expect((await shop.request('GET', '/', { role: null })).status).toBe(200);
  });
});
