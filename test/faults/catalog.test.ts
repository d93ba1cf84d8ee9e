import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createApp } from '../../api/app.ts';
import { createServices } from '../../api/context.ts';
import { hashApiKey } from '../../prisma/access/api-keys.ts';
import { eventually } from '../support/eventually.ts';
import { expectDatabaseUnavailable, useProxiedShop } from './proxied-shop.ts';

const shop = useProxiedShop();
afterEach(() => {
  shop.proxy.clearFaults();
});

const read = (path: string) => shop.request('GET', `/v1/products${path}`);
const statusOf = (response: Response) => response.headers.get('cache-status') ?? '';

/** Until reads come from the database again, so that no test begins with the outage of another. */
const untilAnswered = () =>
  eventually(async () => {
    const response = await read('/mug-white');
    expect([response.status, statusOf(response)]).toEqual([200, expect.not.stringMatching(/-\d/)]);
  });

describe('the catalog while PostgreSQL is away', () => {
  test('products and lists that were read before are served and said to be stale, and nothing else is served', async () => {
    const [one, list] = [await read('/mug-white'), await read('?q=mug')];
    const etags = [one, list].map(({ headers }) => headers.get('etag'));
    const bodies = [await one.json(), await list.json()];
    shop.inject({ kind: 'refuse' });
    // The lost connection of the notifications says that no changes are announced any more.
    await eventually(async () => expect(statusOf(await read('/mug-white'))).toMatch(/ttl=-/));
    const stale = [await read('/mug-white'), await read('?q=mug')];
    for (const response of stale) {
      expect(response.status).toBe(200);
      expect(statusOf(response)).toMatch(/^holdfast; hit; ttl=-\d+; detail=database_unavailable$/);
      expect(Number(response.headers.get('age'))).toBeGreaterThan(0);
    }
    expect(stale.map(({ headers }) => headers.get('etag'))).toEqual(etags);
    expect([await stale[0]?.json(), await stale[1]?.json()]).toEqual(bodies);
    const known = { headers: { 'if-none-match': etags[0] ?? '' } };
    expect((await shop.request('GET', '/v1/products/mug-white', known)).status).toBe(304);
    await expectDatabaseUnavailable(shop, await read('/never-read'));
    await expectDatabaseUnavailable(
      shop,
      await shop.request('GET', '/v1/products/mug-white/stock'),
    );
    await expectDatabaseUnavailable(shop, await shop.buy('while-away'));
    expect(await shop.orderOfKey('while-away')).toBeNull();
    shop.proxy.clearFaults();
    await untilAnswered();
  });

  test('a database that does not answer costs a reader a moment, not its deadline', async () => {
    await untilAnswered();
    shop.services.productCache.invalidate();
    shop.inject({ kind: 'swallow', direction: 'to_client' });
    const first = await read('/mug-white');
    expect(statusOf(first)).toMatch(/ttl=-/);
    const others = await Promise.all(Array.from({ length: 100 }, () => read('/mug-white')));
    for (const response of others) {
      expect([response.status, statusOf(response)]).toEqual([200, expect.stringMatching(/ttl=-/)]);
    }
    shop.proxy.clearFaults();
    await untilAnswered();
  });

  test('an order is priced by the database, whatever stale price the cache shows', async () => {
    await read('/mug-white');
    shop.inject({ kind: 'refuse' });
    await eventually(async () => expect(statusOf(await read('/mug-white'))).toMatch(/ttl=-/));
    await shop.direct.product.update({ where: { sku: 'mug-white' }, data: { priceMinor: 1_234 } });
    expect(await (await read('/mug-white')).json()).toMatchObject({ price_minor: 1_200 });
    shop.proxy.clearFaults();
    await untilAnswered();
    const order = await shop.place({ lines: [{ sku: 'mug-white', quantity: 1 }] });
    expect(await order.json()).toMatchObject({ total_minor: 1_234 });
  });
});

describe('an API key while PostgreSQL is away', () => {
  test('a key that expired in the cache reads the catalog only, and a revoked one nothing once the database answers', async () => {
    await untilAnswered();
    const key = 'a-key-of-the-shop';
    const row = { id: 'key_web', name: 'web', role: 'operator', keyHash: hashApiKey(key) } as const;
    await shop.direct.apiKey.create({ data: row });
    const services = createServices(shop.services);
    onTestFinished(services.close);
    const app = createApp(services);
    const call = (path: string) =>
      app.request(path, { headers: { authorization: `Bearer ${key}` } });
    expect((await call('/v1/products/mug-white')).status).toBe(200);
    await shop.direct.apiKey.update({ where: { id: row.id }, data: { revokedAt: new Date() } });
    shop.inject({ kind: 'refuse' });
    const realNow = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => realNow() + 31_000);
    onTestFinished(() => void vi.restoreAllMocks());
    const stale = await call('/v1/products/mug-white');
    expect([stale.status, statusOf(stale)]).toEqual([200, expect.stringMatching(/ttl=-/)]);
    for (const path of ['/v1/stock', '/v1/products/mug-white/stock']) {
      await expectDatabaseUnavailable(shop, await call(path));
    }
    shop.proxy.clearFaults();
    await eventually(async () => expect((await call('/v1/products/mug-white')).status).toBe(401));
  });
});
