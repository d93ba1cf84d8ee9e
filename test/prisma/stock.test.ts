import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { recordReserved, recordShipped } from '../../prisma/orders/record-steps.ts';
import type { TransitionOutcome } from '../../prisma/orders/transition.ts';
import { findPayment, recordCaptured } from '../../prisma/payments/payments.ts';
import { adjustStock, findShortages, findStock, releaseHold } from '../../prisma/catalog/stock.ts';
import { claimOf, runConcurrently, draftOf, useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase(40);

describe('a hold', () => {
  test('200 concurrent holds on 50 units give exactly 50 holds and 150 refusals as short', async () => {
    const sku = await shop.stock(50);
    const answers = await runConcurrently(200, 40, () => hold([{ sku, quantity: 1 }]));
    expect(answers.filter((answer) => answer === 'held')).toHaveLength(50);
    expect(answers.filter((answer) => answer === 'short')).toHaveLength(150);
    expect(await findStock(shop.db, sku)).toMatchObject({ onHand: 50, held: 50, available: 0 });
  });

  test('concurrent holds of two products in opposite order never deadlock', async () => {
    const [a, b] = [await shop.stock(1000), await shop.stock(1000)];
    const one = [
      { sku: a, quantity: 1 },
      { sku: b, quantity: 2 },
    ];
    const answers = await runConcurrently(200, 40, (index) =>
      hold(index % 2 === 0 ? one : one.toReversed()),
    );
    expect(new Set(answers)).toEqual(new Set(['held']));
    expect(await findStock(shop.db, a)).toMatchObject({ held: 200 });
    expect(await findStock(shop.db, b)).toMatchObject({ held: 400 });
  });

  test('a hold that is short of one line holds nothing of the others', async () => {
    const [plenty, none] = [await shop.stock(10), await shop.stock(0)];
    for (const order of [
      [plenty, none],
      [none, plenty],
    ]) {
      expect(await hold(order.map((sku) => ({ sku, quantity: 1 })))).toBe('short');
    }
    expect(await findStock(shop.db, plenty)).toMatchObject({ held: 0 });
  });

  test('a random sequence of holds never exceeds the available stock', async () => {
    const cart = fc.array(
      fc.record({ first: fc.boolean(), quantity: fc.integer({ min: 1, max: 7 }) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    await fc.assert(
      fc.asyncProperty(cart, async (wishes) => {
        const [a, b] = [await shop.stock(9), await shop.stock(5)];
        const left = { [a]: 9, [b]: 5 };
        for (const { first, quantity } of wishes) {
          const sku = first ? a : b;
          const fits = (left[sku] ?? 0) >= quantity;
          expect(await hold([{ sku, quantity }])).toBe(fits ? 'held' : 'short');
          if (fits) left[sku] = (left[sku] ?? 0) - quantity;
        }
        expect((await findStock(shop.db, a))?.available).toBe(left[a]);
        expect((await findStock(shop.db, b))?.available).toBe(left[b]);
      }),
      { numRuns: 15 },
    );
  });
});

describe('the cause of a shortage', () => {
  test('a shortage has cause held while unpaid orders hold the missing units', async () => {
    const sku = await shop.stock(3);
    await shop.open([{ sku, quantity: 2 }]);
    expect(await findShortages(shop.db, [{ sku, quantity: 2 }])).toEqual([
      { sku, requested: 2, available: 1, cause: 'held' },
    ]);
  });

  test('a shortage has cause gone when the missing units were sold or never existed', async () => {
    const sku = await shop.stock(3);
    await shop.place([{ sku, quantity: 2 }]);
    const gone = { sku, requested: 2, available: 1, cause: 'gone' };
    expect(await findShortages(shop.db, [{ sku, quantity: 2 }])).toEqual([gone]);
    await shop.open([{ sku, quantity: 1 }]);
    expect(await findShortages(shop.db, [{ sku, quantity: 4 }])).toEqual([
      { sku, requested: 4, available: 0, cause: 'gone' },
    ]);
  });

  test('shortages list only the short lines, including an unknown product', async () => {
    const [plenty, none] = [await shop.stock(10), 'no-such-product'];
    const wanted = [plenty, none].map((sku) => ({ sku, quantity: 1 }));
    expect(await findShortages(shop.db, wanted)).toEqual([
      { sku: none, requested: 1, available: 0, cause: 'gone' },
    ]);
  });

  test('120 concurrent orders for 50 units open 50 orders and return a shortage to the other 70', async () => {
    const sku = await shop.stock(50);
    const outcomes = await runConcurrently(120, 40, () =>
      openOrder(shop.db, claimOf(), draftOf([{ sku, quantity: 1 }])),
    );
    expect(outcomes.filter((each) => each.kind === 'opened')).toHaveLength(50);
    const refused = outcomes.filter((each) => each.kind === 'out_of_stock');
    expect(refused).toHaveLength(70);
    // Every unit is held by an order that is not paid yet.
    for (const { shortages } of refused) expect(shortages).toMatchObject([{ sku, cause: 'held' }]);
  });
});

describe('the end of a hold', () => {
  test('a hold released ten times concurrently makes its units available once', async () => {
    const sku = await shop.stock(5);
    const { id } = await shop.place([{ sku, quantity: 2 }]);
    const release = () => shop.db.$transaction((tx) => releaseHold(tx, id));
    const released = await runConcurrently(10, 10, release);
    expect(released.filter(Boolean)).toHaveLength(1);
    expect(await release()).toBe(false);
    expect(await findStock(shop.db, sku)).toEqual({ sku, onHand: 5, held: 0, available: 5 });
  });

  test('a hold shipped ten times concurrently reduces the stock once with one movement', async () => {
    const sku = await shop.stock(5);
    const id = await paid([{ sku, quantity: 2 }]);
    await runConcurrently(10, 10, () => ship(id));
    expect(await findStock(shop.db, sku)).toEqual({ sku, onHand: 3, held: 0, available: 3 });
    const movements = await shop.db.stockMovement.findMany({ where: { sku } });
    expect(movements.map((each) => each.delta)).toEqual([5, -2]);
  });

  test('thirty orders of the same two products ship concurrently without a deadlock', async () => {
    const [a, b] = [await shop.stock(100), await shop.stock(100)];
    const lines = [
      { sku: a, quantity: 1 },
      { sku: b, quantity: 2 },
    ];
    const ids = await runConcurrently(30, 10, (index) =>
      paid(index % 2 === 0 ? lines : lines.toReversed()),
    );
    await Promise.all(ids.map(ship));
    expect(await findStock(shop.db, a)).toMatchObject({ onHand: 70, held: 0 });
    expect(await findStock(shop.db, b)).toMatchObject({ onHand: 40, held: 0 });
  });

  test('a shipped hold cannot be released', async () => {
    const sku = await shop.stock(5);
    const id = await paid([{ sku, quantity: 2 }]);
    await ship(id);
    expect(await shop.db.$transaction((tx) => releaseHold(tx, id))).toBe(false);
    expect(await findStock(shop.db, sku)).toMatchObject({ onHand: 3, held: 0 });
  });
});

describe('an adjustment', () => {
  const by = { reason: 'count', actor: 'op' } as const;

  test('an adjustment never goes below the held units, and every unit has its movement', async () => {
    const sku = await shop.stock(5);
    await shop.open([{ sku, quantity: 3 }]);
    const adjust = (delta: number) =>
      shop.db.$transaction((tx) => adjustStock(tx, { sku, delta, ...by }));
    expect(await adjust(-3)).toMatchObject({ kind: 'not_available' });
    expect(await adjust(-2)).toMatchObject({ kind: 'adjusted', stock: { available: 0 } });
    expect(await adjust(7)).toMatchObject({ kind: 'adjusted', stock: { onHand: 10, held: 3 } });
    const { _sum } = await shop.db.stockMovement.aggregate({
      where: { sku },
      _sum: { delta: true },
    });
    expect(_sum.delta).toBe(10);
  });

  test('an adjustment of an unknown product returns product_not_found', async () => {
    const asked = { sku: 'no-such-product', delta: 1, ...by };
    const outcome = await shop.db.$transaction((tx) => adjustStock(tx, asked));
    expect(outcome).toEqual({ kind: 'product_not_found' });
  });
});

async function paid(lines: Parameters<typeof shop.place>[0]): Promise<OrderId> {
  const { id } = await shop.place(lines);
  await recordReserved(shop.db, id);
  const payment = await findPayment(shop.db, id);
  if (!payment) throw new Error('a placed order has a payment');
  await recordCaptured(shop.db, payment);
  return id;
}

function ship(id: OrderId): Promise<TransitionOutcome> {
  return recordShipped(shop.db, id, { carrier: 'Test Parcel', trackingNumber: 'TP-1' });
}

async function hold(
  wanted: readonly { sku: string; quantity: number }[],
): Promise<'held' | 'short'> {
  const { kind } = await openOrder(shop.db, claimOf(), draftOf(wanted));
  if (kind === 'key_taken') throw new Error(kind);
  return kind === 'opened' ? 'held' : 'short';
}
