import { expect } from 'vitest';
import { orderOf, problemOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { eventually } from '../support/eventually.ts';
import { expectConsistent } from './records.ts';
import { test } from './matrix-case.ts';
import { times } from '../support/times.ts';

const BUYERS = 1_000;
const UNITS = 100;

const shop = useShop();

/** A shopper's client: a 503 is tried again under the same key, as it asks. */
async function buy(buyer: number): Promise<Response> {
  const order = {
    lines: [{ sku: 'hot', quantity: 1 }],
    customer: { email: `buyer-${buyer}@example.com`, name: 'Buyer' },
  };
  return eventually(
    async () => {
      const response = await shop.place(order, `buyer-${buyer}`);
      expect(response.status).not.toBe(503);
      // A try that was cut off keeps its key for a moment.
      expect(await response.clone().text()).not.toContain('request_in_flight');
      return response;
    },
    { timeoutMs: 200_000, everyMs: 1_000 },
  );
}

test('[infra/hot-sku] 1,000 buyers of 100 units get exactly 100 orders and 900 out_of_stock responses', async (proof) => {
  await shop.stock('hot', UNITS);
  const responses = await Promise.all(times(BUYERS, (buyer) => buy(buyer)));
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
