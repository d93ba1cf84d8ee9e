import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  priceRefund,
  type PricedOrder,
  type RefundedLine,
  type RefundLine,
} from '../../domain/refund-lines.ts';

/** An order of some lines whose total differs from their sum by adjustments, all in whole steps. */
const orders = fc
  .record({
    stepMinor: fc.constantFrom(1, 10, 100),
    lines: fc.array(
      fc.record({
        quantity: fc.integer({ min: 1, max: 1_000 }),
        steps: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 50_000 })),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    /** Of the sum of the lines. */
    factor: fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0, max: 3, noNaN: true })),
  })
  .map(({ stepMinor, lines, factor }) => {
    const priced = lines.map(({ quantity, steps }, index) => ({
      sku: `sku-${index}`,
      quantity,
      unitPriceMinor: steps * stepMinor,
    }));
    const sum = priced.reduce((all, line) => all + line.quantity * line.unitPriceMinor, 0);
    const totalMinor = Math.min(Math.round((sum / stepMinor) * factor), 20_000_000) * stepMinor;
    return { stepMinor, order: { lines: priced, totalMinor, refunded: [] } };
  });

/** How the units of an order are split into refunds, and which of those so far fails after each. */
const splits = fc.array(
  fc.record({
    line: fc.nat(),
    quantity: fc.integer({ min: 1, max: 400 }),
    fails: fc.option(fc.nat()),
  }),
  { maxLength: 12 },
);

function priced(
  order: PricedOrder,
  wanted: readonly RefundLine[],
  stepMinor: number,
): readonly RefundedLine[] {
  const outcome = priceRefund(order, wanted, stepMinor);
  if (outcome.kind !== 'priced') throw new Error(outcome.kind);
  return outcome.lines;
}

const sumOf = (lines: readonly RefundedLine[]) =>
  lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0);

function unitsLeft({ lines, refunded }: PricedOrder): readonly RefundLine[] {
  return lines.flatMap(({ sku, quantity }) => {
    const gone = refunded.filter((each) => each.sku === sku);
    const left = quantity - gone.reduce((sum, each) => sum + each.quantity, 0);
    return left === 0 ? [] : [{ sku, quantity: left }];
  });
}

describe('refunds by lines', () => {
  test('any split of all units sums to the total of the order, also after refunds that failed', () => {
    fc.assert(
      fc.property(orders, splits, ({ order, stepMinor }, split) => {
        const refunded: RefundedLine[] = [];
        const now = { ...order, refunded };
        for (const { line, quantity, fails } of split) {
          const left = unitsLeft(now);
          const wanted = left[line % Math.max(left.length, 1)];
          if (wanted === undefined) break;
          const units = { ...wanted, quantity: Math.min(quantity, wanted.quantity) };
          refunded.push(...priced(now, [units], stepMinor));
          if (fails !== null) refunded.splice(fails % refunded.length, 1);
          expect(sumOf(refunded)).toBeLessThanOrEqual(order.totalMinor);
        }
        refunded.push(...priced(now, unitsLeft(now), stepMinor));
        expect(sumOf(refunded)).toBe(order.totalMinor);
        for (const { amountMinor } of refunded) {
          expect(amountMinor).toBeGreaterThanOrEqual(0);
          expect(amountMinor % stepMinor).toBe(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a line costs its price with its part of the adjustments, to less than a step', () => {
    fc.assert(
      fc.property(orders, ({ order, stepMinor }) => {
        const sum = order.lines.reduce((all, each) => all + each.quantity * each.unitPriceMinor, 0);
        fc.pre(sum > 0);
        for (const { sku, quantity, unitPriceMinor } of order.lines) {
          const [line] = priced(order, [{ sku, quantity }], stepMinor);
          const exact = order.totalMinor * ((quantity * unitPriceMinor) / sum);
          expect(Math.abs((line?.amountMinor ?? NaN) - exact)).toBeLessThan(stepMinor + 0.001);
        }
      }),
    );
  });

  const ORDER: PricedOrder = {
    lines: [
      { sku: 'mug', quantity: 2, unitPriceMinor: 1_200 },
      { sku: 'tee', quantity: 1, unitPriceMinor: 2_500 },
    ],
    // 490 of shipping, 10 % less.
    totalMinor: 4_900,
    refunded: [],
  };

  test('lines that cost nothing divide the total by their units', () => {
    const lines = ORDER.lines.map((line) => ({ ...line, unitPriceMinor: 0 }));
    const order = { ...ORDER, lines, totalMinor: 490 };
    const all = priced(order, unitsLeft(order), 1);
    expect(all.map(({ amountMinor }) => amountMinor)).toEqual([327, 163]);
  });

  test('a unit costs nothing when fewer units than its part have cost all of it, because others failed', () => {
    const lines = [{ sku: 'pin', quantity: 3, unitPriceMinor: 1 }];
    // The refunds of the first two failed later, and the third had the whole cent.
    const refunded = [{ sku: 'pin', quantity: 1, amountMinor: 1 }];
    const order = { lines, totalMinor: 1, refunded };
    expect(sumOf(priced(order, [{ sku: 'pin', quantity: 1 }], 1))).toBe(0);
    expect(sumOf(priced(order, unitsLeft(order), 1))).toBe(0);
  });

  test('a SKU that was not ordered and more units than are left are refused by their place', () => {
    const refund = (refunded: readonly RefundedLine[], ...wanted: readonly RefundLine[]) =>
      priceRefund({ ...ORDER, refunded }, wanted, 1);
    const mugs = (quantity: number) => ({ sku: 'mug', quantity });
    expect(refund([], mugs(1), { sku: 'poster', quantity: 1 })).toEqual({
      kind: 'not_ordered',
      index: 1,
    });
    expect(refund([], mugs(3))).toEqual({ kind: 'too_many', index: 0, left: 2 });
    const once = [{ ...mugs(1), amountMinor: 1_200, restock: false }];
    expect(refund(once, mugs(2))).toEqual({ kind: 'too_many', index: 0, left: 1 });
    expect(refund([...once, ...once], mugs(1))).toEqual({ kind: 'too_many', index: 0, left: 0 });
  });
});
