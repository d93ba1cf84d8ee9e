import { expect, test } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { placeWithRetry, hasRetryAfter, untilFinal, concurrently } from './concurrent-shoppers.ts';
import { eventually } from '../support/eventually.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';

const shop = useShop();

test('200 concurrent shoppers for 50 units get 50 orders and 150 out_of_stock, and 50 units are held', async () => {
  await shop.stock('scarce', 50);
  const responses = await concurrently(200, (index) =>
    placeWithRetry(shop, {
      lines: [{ sku: 'scarce', quantity: 1 }],
      customer: { email: `shopper-${index}@example.com`, name: 'Shopper' },
    }),
  );
  const placed = responses.filter(({ status }) => status === 201);
  const refused = responses.filter(({ status }) => status === 409);
  expect([placed.length, refused.length]).toEqual([50, 150]);
  for (const response of refused) expect((await problemOf(response)).code).toBe('out_of_stock');
  const stock = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'scarce' } });
  expect(stock).toMatchObject({ onHand: 50, held: 50 });
  const holds = await shop.db.reservation.aggregate({
    where: { sku: 'scarce', status: 'held' },
    _sum: { quantity: true },
  });
  expect(holds._sum.quantity).toBe(50);
  expect(paymentEffects(shop)).toEqual({ authorize: 50 });
});

test('concurrent orders for the same SKUs in opposite line order all succeed', async () => {
  await Promise.all([shop.stock('left', 100), shop.stock('right', 100)]);
  const [left, right] = [
    { sku: 'left', quantity: 1 },
    { sku: 'right', quantity: 1 },
  ];
  const responses = await concurrently(60, (index) =>
    placeWithRetry(shop, { lines: index % 2 === 0 ? [left, right] : [right, left] }),
  );
  expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 201));
});

test('50 concurrent orders with one key create one order and one authorization and get the same response', async () => {
  const order = { lines: [{ sku: 'mug-white', quantity: 1 }] };
  const first = await concurrently(50, () => shop.place(order, 'one-key'));
  expect(first.filter(({ status }) => status === 201)).not.toHaveLength(0);
  for (const response of first.filter(({ status }) => status !== 201)) {
    expect(hasRetryAfter(response)).toBe(true);
    // On a busy machine some wait for a connection longer than they may.
    if (response.status !== 503) expect((await problemOf(response)).code).toBe('request_in_flight');
  }
  const bodies = await concurrently(50, () =>
    eventually(async () => {
      const response = await shop.place(order, 'one-key');
      expect(response.status).toBe(201);
      return response.text();
    }),
  );
  expect(new Set(bodies).size).toBe(1);
  const { id } = await orderOf(new Response(bodies[0]));
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  const claims = await shop.db.idempotencyKey.findMany({ where: { key: storedKey('one-key') } });
  expect(claims.map(({ orderId }) => orderId)).toEqual([id]);
});

test('50 concurrent refused orders with one key all return 409 and leave the key free', async () => {
  const refused = await concurrently(50, () =>
    untilFinal(() => shop.place({ lines: [{ sku: 'sold-out', quantity: 1 }] }, 'refused-key')),
  );
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([409]));
  expect(await shop.db.idempotencyKey.count({ where: { key: storedKey('refused-key') } })).toBe(0);
});
