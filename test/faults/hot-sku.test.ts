import { expect } from 'vitest';
import { orderOf, problemOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { concurrently, placeWithRetry } from '../concurrency/concurrent-shoppers.ts';
import { expectConsistent } from './records.ts';
import { test } from './matrix-case.ts';

const BUYERS = 1_000;
const UNITS = 100;

const shop = useShop();

const buy = (buyer: number): Promise<Response> =>
  placeWithRetry(shop, {
    lines: [{ sku: 'hot', quantity: 1 }],
    customer: { email: `buyer-${buyer}@example.com`, name: 'Buyer' },
  });

test('[infra/hot-sku] 1,000 buyers of 100 units get exactly 100 orders and 900 out_of_stock responses', async (proof) => {
  await shop.stock('hot', UNITS);
  const responses = await concurrently(BUYERS, buy);
  const placed = responses.filter(({ status }) => status === 201);
  const refused = responses.filter(({ status }) => status === 409);
  expect([placed.length, refused.length]).toEqual([UNITS, BUYERS - UNITS]);
  for (const response of refused) expect((await problemOf(response)).code).toBe('out_of_stock');
  proof.fired(refused.length);
  const ids = await Promise.all(placed.map(async (response) => (await orderOf(response)).id));
  expect(new Set(ids).size).toBe(UNITS);
  expect(paymentEffects(shop)).toEqual({ authorize: UNITS });
  const stock = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'hot' } });
  expect(stock).toMatchObject({ onHand: UNITS, held: UNITS });
  const deadlocks = await shop.db.$queryRaw<{ deadlocks: number }[]>`
    SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`;
  expect(deadlocks).toEqual([{ deadlocks: 0 }]);
  await expectConsistent(shop);
});
