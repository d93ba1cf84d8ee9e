import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectInvariants } from '../support/invariants.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { openShop, paymentEffects, type Shop } from '../support/shop.ts';
import { hasRetryAfter, concurrently } from './concurrent-shoppers.ts';

const KEYS = 100;
const EACH = 20;
/** Keys at once: a client's own limit, so that what is measured is the key and not the queue. */
const AT_ONCE = 10;

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test(`${KEYS} keys sent ${EACH} times each at once make ${KEYS} orders with one response per key`, async () => {
  const order = { lines: [{ sku: 'mug-white', quantity: 1 }] };
  const bodies = new Map<string, Set<string>>();
  const unsaid = new Set<string>();
  const sendAll = async (key: string): Promise<void> => {
    const seen = new Set<string>();
    bodies.set(key, seen);
    await concurrently(EACH, () =>
      eventually(
        async () => {
          const answer = await shop.place(order, key);
          if (answer.status !== 201) {
            const { code } = await problemOf(answer);
            if (!hasRetryAfter(answer)) unsaid.add(code);
            throw new Error(code);
          }
          seen.add(await answer.text());
        },
        { timeoutMs: 300_000, everyMs: 250 },
      ),
    );
  };
  const keys = Array.from({ length: KEYS }, (_, index) => `key-${index}`);
  await concurrently(AT_ONCE, async () => {
    for (let key = keys.shift(); key !== undefined; key = keys.shift()) await sendAll(key);
  });
  expect([...unsaid], 'answers that do not say when to come back').toEqual([]);
  const firsts: string[] = [];
  for (const [key, seen] of bodies) {
    expect(seen.size, key).toBe(1);
    firsts.push(...seen);
  }
  const orders = await Promise.all(firsts.map((body) => orderOf(new Response(body))));
  expect(new Set(orders.map(({ id }) => id)).size).toBe(KEYS);
  expect(await shop.db.order.count()).toBe(KEYS);
  expect(paymentEffects(shop)).toEqual({ authorize: KEYS });
  const stock = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
  expect(stock.held).toBe(KEYS);
  await expectInvariants(shop.db);
}, 900_000);
