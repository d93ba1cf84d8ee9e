import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { readInvariants } from '../../prisma/operations/invariants.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { openShopForTest, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop();
beforeAll(async () => {
  await shop.place();
});

const get = (role: 'storefront' | 'operator') => shop.request('GET', '/v1/invariants', { role });

test('an operator sees every invariant with its status, and a storefront is refused', async () => {
  const response = await get('operator');
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const { data, ...rest } = await listOf(response);
  expect(rest).toMatchObject({ violated: 0, unchecked: 0, has_more: false });
  const written = await readInvariants();
  expect(data.map(({ name, title, status }) => ({ name, title, status }))).toEqual(
    written.map(({ name, title }) => ({ name, title, status: 'holds' })),
  );
  const refused = await get('storefront');
  expect(refused.status).toBe(403);
  expect((await problemOf(refused)).code).toBe('forbidden');
});

test('a violated invariant is reported with its order, and ten concurrent requests get the same result', async () => {
  const other = await openShopForTest();
  const { id } = await orderOf(await other.place());
  await other.db.$executeRaw`UPDATE orders SET total_minor = total_minor + 1 WHERE id = ${id}`;
  const requests = times(10, () => other.request('GET', '/v1/invariants', { role: 'operator' }));
  const bodies = await Promise.all((await Promise.all(requests)).map((each) => each.text()));
  expect(new Set(bodies).size).toBe(1);
  const body: unknown = JSON.parse(bodies[0] ?? '');
  expect(body).toMatchObject({ violated: 2, unchecked: 0 });
  expect(bodies[0]).toContain(`"subject":"${id}","detail":"total 1201, lines 1200, adjustments 0"`);
});

test('a caller that accepts an older result gets the last one, and others check again', async () => {
  const other = await openShopForTest();
  const read = async (query: string) => {
    const path = `/v1/invariants${query}`;
    const response = await other.request('GET', path, { role: 'operator' });
    expect(response.status).toBe(200);
    return z.looseObject({ checked_at: z.string() }).parse(await response.json()).checked_at;
  };
  const first = await read('');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect(await read('?max_age=3600')).toBe(first);
  expect(await read('?max_age=30')).not.toBe(first);
  for (const wrong of ['4', '86401', 'x', '1e3']) {
    const path = `/v1/invariants?max_age=${wrong}`;
    expect((await other.request('GET', path, { role: 'operator' })).status).toBe(422);
  }
});
