import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { Mode, Place } from '../../local/sandbox/faults.ts';
import { expectConsistent } from '../faults/records.ts';
import type { Shop } from '../support/shop.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { expectModel } from './model.ts';
import { runShopper, SKUS, plans } from './shoppers.ts';

const UNITS = { plenty: 10_000, some: 60, rare: 12 } as const;
/** Runs of up to six shoppers at once. A failing run prints its seed and path, to be given to fc.assert. */
const RUNS = 20;

/** Transient faults of a call. */
const CALLS: readonly Mode[] = ['fail_before', 'answer_lost', 'down', 'latency'];
/** Faults of a callback. */
const CALLBACKS: readonly Mode[] = ['duplicate', 'late'];

const PLACES: readonly Place[] = [
  { provider: 'payments', operation: 'authorize' },
  { provider: 'payments', operation: 'capture' },
  { provider: 'payments', operation: 'void' },
  { provider: 'payments', operation: 'refund' },
  { provider: 'payments', operation: 'lookup' },
  { provider: 'warehouse', operation: 'reserve' },
  { provider: 'warehouse', operation: 'release' },
  { provider: 'warehouse', operation: 'ship' },
  { provider: 'warehouse', operation: 'cancel' },
  { provider: 'warehouse', operation: 'lookup' },
  { provider: 'mail', operation: 'send' },
];
const CALLBACK: Place = { provider: 'warehouse', operation: 'callback' };

/** Faults at up to three operations, each once or twice. */
function randomFaults() {
  const times = fc.integer({ min: 1, max: 2 });
  const fault = fc.oneof(
    {
      weight: PLACES.length,
      arbitrary: fc.record({
        place: fc.constantFrom(...PLACES),
        mode: fc.constantFrom(...CALLS),
        times,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        place: fc.constant(CALLBACK),
        mode: fc.constantFrom(...CALLBACKS),
        times,
      }),
    },
  );
  return fc.uniqueArray(fault, {
    maxLength: 3,
    selector: ({ place }) => `${place.provider}.${place.operation}`,
  });
}

const shop = useRunningShop({ takesCallbacks: true, deadlines: { authorizeMs: 500 } });
let fired = 0;
beforeAll(async () => {
  for (const sku of SKUS) await shop.stock(sku, UNITS[sku]);
});

test('concurrent orders under random faults each end as the model says, and money and units add up', async () => {
  const shopperPlans = fc.array(plans, { minLength: 1, maxLength: 6 });
  const run = fc.asyncProperty(shopperPlans, randomFaults(), async (shoppers, armed) => {
    const { faults } = shop.sandbox;
    faults.clear();
    for (const { place, ...how } of armed) faults.set(place, { ...how, latency_ms: 100 });
    const seen = await Promise.all(shoppers.map((each) => runShopper(shop, each)));
    fired += faults.list().reduce((sum, each) => sum + each.fired, 0);
    for (const each of seen) await expectModel(shop, each);
  });
  await fc.assert(run, { numRuns: RUNS, endOnFailure: true });
  await expectConsistent(shop);
  await expectUnitsAddUp(shop);
  expect(fired, 'no fault fired: the run proves little').toBeGreaterThan(0);
}, 300_000);

/** The units removed from stock are those shipped, and settled orders hold none. */
async function expectUnitsAddUp({ db }: Shop): Promise<void> {
  for (const sku of SKUS) {
    const shipped = await db.reservation.aggregate({
      where: { sku, status: 'shipped' },
      _sum: { quantity: true },
    });
    const stock = await db.stock.findUniqueOrThrow({ where: { sku } });
    const onHand = UNITS[sku] - (shipped._sum.quantity ?? 0);
    expect({ sku, onHand: stock.onHand, held: stock.held }).toEqual({ sku, onHand, held: 0 });
  }
}
