import { expect, test } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { eventually } from '../support/eventually.ts';
import { expectInvariants } from '../support/invariants.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { hasRetryAfter, untilFinal } from '../support/until-final.ts';
import { concurrently } from './concurrent-shoppers.ts';
import { times } from '../support/times.ts';

const KEYS = 100;
const EACH = 20;
/** Limits concurrent keys, so that the test is about keys and not about the queue. */
const CONCURRENT_KEYS = 10;

const shop = useShop();

test(`${KEYS} keys sent ${EACH} times each at once make ${KEYS} orders with one response per key`, async () => {
  const order = { lines: [{ sku: 'mug-white', quantity: 1 }] };
  const bodies = new Map<string, Set<string>>();
  const withoutRetryAfter = new Set<string>();
  const sendAll = async (key: string): Promise<void> => {
    const seen = new Set<string>();
    bodies.set(key, seen);
    await concurrently(EACH, () =>
      eventually(
        async () => {
          const response = await shop.place(order, key);
          if (response.status !== 201) {
            const { code } = await problemOf(response);
            if (!hasRetryAfter(response)) withoutRetryAfter.add(code);
            throw new Error(code);
          }
          seen.add(await response.text());
        },
        { timeoutMs: 300_000, everyMs: 250 },
      ),
    );
  };
  const keys = times(KEYS, (index) => `key-${index}`);
  await concurrently(CONCURRENT_KEYS, async () => {
    for (let key = keys.shift(); key !== undefined; key = keys.shift()) await sendAll(key);
  });
  expect([...withoutRetryAfter], 'responses without Retry-After').toEqual([]);
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

test('50 concurrent refused orders with one key all return 409 and leave the key free', async () => {
  const refused = await concurrently(50, () =>
    untilFinal(() => shop.place({ lines: [{ sku: 'sold-out', quantity: 1 }] }, 'refused-key')),
  );
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([409]));
  expect(await shop.db.idempotencyKey.count({ where: { key: storedKey('refused-key') } })).toBe(0);
});
