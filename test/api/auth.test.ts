import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { hashApiKey, ROLES, type Role } from '../../prisma/access/api-keys.ts';
import { connectionsOf } from '../../prisma/client/client.ts';
import { createApiKeyCache } from '../../services/api-key-cache.ts';
import { problemOf } from '../support/responses.ts';
import { orderBody } from '../support/client.ts';
import { openShopForTest, useShop } from '../support/shop.ts';

const shop = useShop();

const ID = 'ord_01k9zq3v5nfa3s4w1m6t2y8h7c';
const product = { name: 'x', price_minor: 1, currency: 'EUR' };

/** Every route with the lowest role it lets in, and what that role then gets. */
const ROUTES: readonly {
  readonly method: string;
  readonly path: string;
  readonly lowest: Role;
  readonly status: number;
  readonly query?: string;
  readonly body?: object;
}[] = [
  { method: 'POST', path: '/v1/orders', lowest: 'storefront', status: 201, body: orderBody() },
  { method: 'GET', path: `/v1/orders/${ID}`, lowest: 'storefront', status: 404 },
  { method: 'GET', path: `/v1/orders/${ID}/timeline`, lowest: 'storefront', status: 404 },
  { method: 'POST', path: `/v1/orders/${ID}/confirm`, lowest: 'storefront', status: 404 },
  { method: 'POST', path: `/v1/orders/${ID}/cancel`, lowest: 'storefront', status: 404 },
  { method: 'GET', path: '/v1/orders', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/orders/counts', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/analytics', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/stock', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/events', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/subscriptions', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/invariants', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/subscriptions/nobody', lowest: 'operator', status: 404 },
  { method: 'POST', path: '/v1/subscriptions/nobody/pause', lowest: 'operator', status: 404 },
  { method: 'POST', path: '/v1/subscriptions/nobody/resume', lowest: 'operator', status: 404 },
  {
    method: 'POST',
    path: '/v1/subscriptions/nobody/rewind',
    lowest: 'operator',
    status: 404,
    body: { to: '2020-01-01T00:00:00Z' },
  },
  ...webhookRoutes(),
  ...jobRoutes(),
  {
    method: 'POST',
    path: `/v1/orders/${ID}/refunds`,
    lowest: 'operator',
    status: 404,
    body: { reason: 'x' },
  },
  { method: 'GET', path: `/v1/orders/${ID}/refunds`, lowest: 'operator', status: 404 },
  { method: 'GET', path: '/v1/refunds/none', lowest: 'operator', status: 404 },
  { method: 'GET', path: '/v1/reconciliations', lowest: 'operator', status: 200 },
  { method: 'POST', path: '/v1/reconciliations', lowest: 'operator', status: 202 },
  { method: 'GET', path: '/v1/reconciliations/none', lowest: 'operator', status: 404 },
  // Without a Temporal they are known to be there or not.
  { method: 'GET', path: '/v1/schedules', lowest: 'operator', status: 503 },
  { method: 'POST', path: '/v1/schedules/none/trigger', lowest: 'operator', status: 503 },
  {
    method: 'POST',
    path: '/v1/schedules/none/pause',
    lowest: 'operator',
    status: 503,
    body: { note: 'x' },
  },
  { method: 'POST', path: '/v1/schedules/none/resume', lowest: 'operator', status: 503 },
  { method: 'GET', path: '/v1/dead-letters', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/dead-letters/groups', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/dead-letters/redrives', lowest: 'operator', status: 200 },
  { method: 'GET', path: '/v1/dead-letters/redrives/none', lowest: 'operator', status: 404 },
  {
    method: 'POST',
    path: '/v1/dead-letters/discard',
    lowest: 'operator',
    status: 200,
    body: { fingerprint: 'x', note: 'x' },
  },
  { method: 'GET', path: '/v1/dead-letters/none', lowest: 'operator', status: 404 },
  { method: 'POST', path: '/v1/dead-letters/none/redrive', lowest: 'operator', status: 404 },
  {
    method: 'POST',
    path: '/v1/dead-letters/none/discard',
    lowest: 'operator',
    status: 404,
    body: { note: 'x' },
  },
  {
    method: 'POST',
    path: '/v1/dead-letters/redrive',
    lowest: 'operator',
    status: 200,
    body: { fingerprint: 'x', rate: 1, dry_run: true },
  },
  ...['erase', 'export'].map((verb) => ({
    method: 'POST',
    path: `/v1/persons/${verb}`,
    lowest: 'operator' as const,
    status: 200,
    body: { email: 'nobody@example.com' },
  })),
  {
    method: 'GET',
    path: '/v1/customers/availability',
    query: '?email=nobody@example.com',
    lowest: 'storefront',
    status: 200,
  },
  { method: 'POST', path: '/v1/customers', lowest: 'storefront', status: 422, body: {} },
  { method: 'GET', path: '/v1/customers/none', lowest: 'storefront', status: 404 },
  {
    method: 'PATCH',
    path: '/v1/customers/none',
    lowest: 'storefront',
    status: 404,
    body: { name: 'x' },
  },
  { method: 'GET', path: '/v1/customers/none/balance', lowest: 'storefront', status: 404 },
  { method: 'GET', path: '/v1/customers/none/credit', lowest: 'operator', status: 404 },
  {
    method: 'POST',
    path: '/v1/customers/none/credit',
    lowest: 'operator',
    status: 404,
    body: { amount_minor: 1, currency: 'EUR', reason: 'x' },
  },
  {
    method: 'POST',
    path: '/v1/quotes',
    lowest: 'storefront',
    status: 201,
    body: { lines: [{ sku: 'mug-white', quantity: 1 }], currency: 'EUR' },
  },
  { method: 'GET', path: '/v1/products', lowest: 'storefront', status: 200 },
  { method: 'GET', path: '/v1/products/mug-white', lowest: 'storefront', status: 200 },
  { method: 'GET', path: '/v1/products/mug-white/stock', lowest: 'storefront', status: 200 },
  {
    method: 'POST',
    path: '/v1/products/mug-white/stock',
    lowest: 'operator',
    status: 200,
    body: { delta: 1, reason: 'x' },
  },
  { method: 'PUT', path: '/v1/products/by-role', lowest: 'admin', status: 200, body: product },
  {
    method: 'PATCH',
    path: '/v1/products/by-role',
    lowest: 'admin',
    status: 200,
    body: { archived: true },
  },
];

function webhookRoutes() {
  const path = '/v1/webhook-endpoints';
  const one = `${path}/${ID}`;
  const lowest = 'operator' as const;
  const url = 'http://127.0.0.1:9/';
  return [
    { method: 'POST', path, lowest, status: 201, body: { url } },
    { method: 'GET', path, lowest, status: 200 },
    { method: 'GET', path: one, lowest, status: 404 },
    { method: 'PATCH', path: one, lowest, status: 404, body: { types: [] } },
    { method: 'DELETE', path: one, lowest, status: 404 },
    { method: 'GET', path: `${one}/deliveries`, lowest, status: 404 },
    {
      method: 'POST',
      path: `${one}/redeliver`,
      lowest,
      status: 404,
      body: { event_id: crypto.randomUUID() },
    },
    { method: 'POST', path: `${one}/rotate-secret`, lowest, status: 404 },
    { method: 'POST', path: `${one}/test`, lowest, status: 404 },
  ];
}

function jobRoutes() {
  const lowest = 'operator' as const;
  const kinds = ['reports', 'imports', 'bulk'].map((kind) => `/v1/${kind}`);
  return [
    ...kinds.flatMap((path) => [
      { method: 'GET', path, lowest, status: 200 },
      { method: 'GET', path: `${path}/none`, lowest, status: 404 },
      { method: 'POST', path: `${path}/none/cancel`, lowest, status: 404 },
      { method: 'POST', path: `${path}/none/resume`, lowest, status: 404 },
    ]),
    { method: 'POST', path: '/v1/reports', lowest, status: 422, body: {} },
    { method: 'POST', path: '/v1/imports', lowest: 'admin' as const, status: 422, body: {} },
    { method: 'POST', path: '/v1/bulk', lowest, status: 422, body: {} },
    { method: 'POST', path: '/v1/bulk/none/approve', lowest, status: 404 },
  ];
}

const described = z.object({ paths: z.record(z.string(), z.looseObject({})) });

describe('each route', () => {
  test.each(ROUTES)(
    '$method $path allows the role $lowest and those above, and returns 403 for the others',
    async ({ method, path, lowest, status, query = '', body }) => {
      await shop.request('PUT', '/v1/products/by-role', { role: 'admin', body: product });
      for (const role of ROLES) {
        const key = crypto.randomUUID();
        const response = await shop.request(method, `${path}${query}`, { role, key, body });
        const allowed = ROLES.indexOf(role) >= ROLES.indexOf(lowest);
        expect(response.status, role).toBe(allowed ? status : 403);
        if (allowed) continue;
        expect((await problemOf(response)).code).toBe('forbidden');
        expect(response.headers.get('www-authenticate')).toBe(
          `Bearer realm="holdfast", error="insufficient_scope", scope="${lowest}"`,
        );
      }
    },
  );

  test.each(ROUTES)('$method $path requires an API key', async ({ method, path, body }) => {
    const response = await shop.request(method, path, { role: null, body });
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="holdfast"');
    expect((await problemOf(response)).code).toBe('unauthorized');
  });

  test('the table of tested routes lists exactly the operations of the OpenAPI document', async () => {
    const document = await shop.request('GET', '/openapi.json', { role: null });
    const { paths } = described.parse(await document.json());
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const tabled = ROUTES.map(({ method, path }) =>
      `${method} ${path}`
        .replace(ID, '{id}')
        .replace('subscriptions/nobody', 'subscriptions/{name}')
        .replace(
          /(dead-letters|redrives|refunds|reconciliations|schedules|customers|reports|imports|bulk)\/none/,
          '$1/{id}',
        )
        .replace(/products\/(mug-white|by-role)/, 'products/{sku}'),
    );
    expect(operations.toSorted()).toEqual(tabled.toSorted());
  });
});

describe('401', () => {
  test.each([
    'Bearer nope',
    'Bearer ',
    'Basic aGZfbG9jYWw6eA==',
    'hf_local_admin',
    `Bearer ${'x'.repeat(5_000)}`,
  ])('a request with the authorization header $0 returns 401', async (authorization) => {
    const request = { role: null, headers: { authorization } };
    expect((await problemOf(await shop.request('GET', '/v1/products', request))).status).toBe(401);
  });

  test('an unauthorized request with a malformed body returns 401 or 403 before the body is parsed', async () => {
    const request = { role: null, body: '{nope' };
    expect((await shop.request('POST', '/v1/orders', request)).status).toBe(401);
    const refused = { role: 'operator', body: '{nope' } as const;
    expect((await shop.request('PUT', '/v1/products/x', refused)).status).toBe(403);
  });

  test('guessed API keys take neither the database nor the requests of a valid key', async () => {
    expect((await shop.request('GET', '/v1/products')).status).toBe(200);
    const { apiKeys } = shop.services;
    const guesses = Array.from({ length: 3_000 }, (_, n) => apiKeys.find(`guess-${n}`));
    const valid = await Promise.all(
      Array.from({ length: 50 }, () => shop.request('GET', '/v1/products')),
    );
    expect(new Set(valid.map(({ status }) => status))).toEqual(new Set([200]));
    expect(connectionsOf(shop.db).queued).toBeLessThan(50);
    const found = await Promise.all(guesses);
    expect(new Set(found)).toEqual(new Set([null, 'busy']));
    // Known again: nothing is left of the guesses.
    expect(await apiKeys.find('guess-0')).toBeNull();
  });

  test('a thousand first requests with one valid API key are one look-up', async () => {
    const cache = createApiKeyCache({ db: shop.db, refuseLocal: false });
    const found = await Promise.all(
      Array.from({ length: 1_000 }, () => cache.find('hf_local_storefront')),
    );
    expect(
      new Set(found.map((each) => (each === null || each === 'busy' ? each : each.role))),
    ).toEqual(new Set(['storefront']));
  });

  test('a request with a revoked API key returns 401', async () => {
    const keyHash = hashApiKey('a-revoked-key');
    await shop.db.apiKey.create({
      data: { id: 'revoked', name: 'x', role: 'admin', keyHash, revokedAt: new Date() },
    });
    const request = { role: null, headers: { authorization: 'Bearer a-revoked-key' } };
    expect((await shop.request('GET', '/v1/products', request)).status).toBe(401);
  });

  test('a request with an API key of the local stack returns 401 in production', async () => {
    const production = await openShopForTest({ production: true });
    for (const role of ROLES) {
      expect((await production.request('GET', '/v1/products', { role })).status).toBe(401);
    }
  });
});
