import { afterEach, expect, test } from 'vitest';
import { expectInvariants } from '../support/invariants.ts';
import { problemOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { concurrently, placeWithRetry, withRetry } from './concurrent-shoppers.ts';

const shop = useShop();
afterEach(() => expectInvariants(shop.db));

const stockOf = (sku: string) => shop.db.stock.findUniqueOrThrow({ where: { sku } });
const buy = (lines: readonly { sku: string; quantity: number }[]) =>
  placeWithRetry(shop, { lines });

async function statusesOf(responses: readonly Response[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const response of responses) {
    const status = response.status === 201 ? 'placed' : (await problemOf(response)).code;
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

test('one of 100 concurrent buyers gets the last unit and 99 get out_of_stock', async () => {
  await shop.stock('last-unit', 1);
  const responses = await concurrently(100, () => buy([{ sku: 'last-unit', quantity: 1 }]));
  expect(await statusesOf(responses)).toEqual({ placed: 1, out_of_stock: 99 });
  expect(await stockOf('last-unit')).toMatchObject({ onHand: 1, held: 1 });
});

test('one SKU on two lines counts as their sum and is never oversold', async () => {
  await shop.stock('twice', 9);
  const lines = [
    { sku: 'twice', quantity: 1 },
    { sku: 'mug-white', quantity: 1 },
    { sku: 'twice', quantity: 2 },
  ];
  const responses = await concurrently(20, () => buy(lines));
  expect(await statusesOf(responses)).toEqual({ placed: 3, out_of_stock: 17 });
  expect(await stockOf('twice')).toMatchObject({ onHand: 9, held: 9 });
});

test('concurrent orders of the same SKUs in random line order do not deadlock and sell every unit', async () => {
  const skus = ['bundle-a', 'bundle-b', 'bundle-c'];
  await Promise.all(skus.map((sku) => shop.stock(sku, 40)));
  const { shuffled } = createSeededRandom();
  const before = paymentEffects(shop)['authorize'] ?? 0;
  const responses = await concurrently(80, () =>
    buy(shuffled(skus).map((sku) => ({ sku, quantity: 1 }))),
  );
  expect(await statusesOf(responses)).toEqual({ placed: 40, out_of_stock: 40 });
  for (const sku of skus) expect(await stockOf(sku)).toMatchObject({ onHand: 40, held: 40 });
  expect(paymentEffects(shop)['authorize']).toBe(before + 40);
});

test('stock adjustments during concurrent orders all count and never go below the held units', async () => {
  await shop.stock('moving', 30);
  const adjust = (delta: number) =>
    withRetry((key) =>
      shop.request('POST', '/v1/products/moving/stock', {
        role: 'operator',
        key,
        body: { delta, reason: 'recount' },
      }),
    );
  const orders = concurrently(60, () => buy([{ sku: 'moving', quantity: 1 }]));
  const adjustments = concurrently(20, (index) => adjust(index % 2 === 0 ? 3 : -5));
  const [responses, adjusted] = await Promise.all([orders, adjustments]);
  const { placed = 0, out_of_stock: gone = 0 } = await statusesOf(responses);
  expect(placed + gone).toBe(60);
  const moved = adjusted.map(({ status }, index) =>
    status === 200 ? (index % 2 === 0 ? 3 : -5) : 0,
  );
  const refused = adjusted.filter(({ status }) => status !== 200);
  for (const each of refused) expect((await problemOf(each)).code).toBe('stock_not_available');
  const onHand = moved.reduce((sum, delta) => sum + delta, 30);
  const stock = await stockOf('moving');
  expect(stock).toMatchObject({ onHand, held: placed });
  // No adjustment can take a held unit.
  const below = await adjust(stock.held - stock.onHand - 1);
  expect(await problemOf(below)).toMatchObject({ status: 409, code: 'stock_not_available' });
  if (stock.onHand > stock.held) expect((await adjust(stock.held - stock.onHand)).status).toBe(200);
  expect(await stockOf('moving')).toMatchObject({ onHand: placed, held: placed });
});
