import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chargeOf, sentQuantity } from '../../domain/order.ts';
import { reduceOrder } from '../../domain/partial-order.ts';
import { priceRefund, type RefundedLine } from '../../domain/refund-lines.ts';

/** Lines with adjustments and store credit, in steps of the currency, and what there is of each line. */
const cases = fc
  .record({
    stepMinor: fc.constantFrom(1, 10, 100),
    lines: fc.array(
      fc.record({
        quantity: fc.integer({ min: 1, max: 6 }),
        priceSteps: fc.integer({ min: 0, max: 5_000 }),
        there: fc.integer({ min: 0, max: 6 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    adjustmentSteps: fc.integer({ min: -2_000, max: 2_000 }),
    creditPart: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ stepMinor, lines, adjustmentSteps, creditPart }) => {
    const ordered = lines.map(({ quantity, priceSteps }, at) => ({
      sku: `sku-${at}`,
      name: 'x',
      quantity,
      unitPriceMinor: priceSteps * stepMinor,
    }));
    const price = ordered.reduce((sum, each) => sum + each.quantity * each.unitPriceMinor, 0);
    const totalMinor = Math.max(0, price + adjustmentSteps * stepMinor);
    const creditMinor = Math.floor((creditPart * totalMinor) / stepMinor) * stepMinor;
    const reserved = lines.flatMap(({ quantity, there }, at) =>
      there === 0 ? [] : [{ sku: `sku-${at}`, quantity: Math.min(quantity, there) }],
    );
    const limits = { stepMinor, minMinor: stepMinor, maxMinor: 99_999_999 };
    return { order: { totalMinor, creditMinor, lines: ordered }, reserved, limits };
  });

describe('an order of which not all is sent', () => {
  test('what is charged, kept of store credit, given back and released is the total, credit first', () => {
    let reduced = 0;
    const run = fc.property(cases, ({ order, reserved, limits }) => {
      const part = reduceOrder(order, reserved, limits);
      if (part === null) return;
      reduced += 1;
      const { dueMinor, creditMinor, cardMinor } = part.charge;
      const onCard = order.totalMinor - order.creditMinor;
      const released = onCard - cardMinor;
      expect(creditMinor + part.creditBackMinor).toBe(order.creditMinor);
      expect(cardMinor + creditMinor).toBe(dueMinor);
      expect(cardMinor + creditMinor + part.creditBackMinor + released).toBe(order.totalMinor);
      for (const each of [dueMinor, creditMinor, cardMinor, part.creditBackMinor, released]) {
        expect(each).toBeGreaterThanOrEqual(0);
        expect(each % limits.stepMinor).toBe(0);
      }
      if (released > 0) expect(creditMinor).toBe(0);
      if (onCard > 0) expect(cardMinor).toBeGreaterThan(0);
      expect(part.charge).toEqual(chargeOf({ ...order, dueMinor }));
    });
    fc.assert(run, { numRuns: 1_000 });
    expect(reduced).toBeGreaterThan(100);
  });

  test('refunds of all units that are sent are what was paid, one by one, and no other unit is refunded', () => {
    const run = fc.property(cases, ({ order, reserved, limits }) => {
      const part = reduceOrder(order, reserved, limits);
      if (part === null) return;
      const lines = order.lines.map((line, at) => ({ ...line, ...part.lines[at] }));
      const refunded: RefundedLine[] = [];
      const now = { ...order, lines, refunded };
      const { stepMinor } = limits;
      for (const line of lines) {
        for (let unit = 0; unit < sentQuantity(line); unit += 1) {
          const one = priceRefund(now, [{ sku: line.sku, quantity: 1 }], stepMinor);
          if (one.kind !== 'priced') throw new Error(one.kind);
          refunded.push(...one.lines);
        }
        const more = priceRefund(now, [{ sku: line.sku, quantity: 1 }], stepMinor);
        expect(more).toEqual({ kind: 'too_many', index: 0, left: 0 });
      }
      const sum = refunded.reduce((all, { amountMinor }) => all + amountMinor, 0);
      expect(sum).toBe(part.charge.dueMinor);
    });
    fc.assert(run, { numRuns: 500 });
  });

  test('an order that is sent whole costs its total', () => {
    const run = fc.property(cases, ({ order, limits }) => {
      const part = reduceOrder(order, order.lines, limits);
      expect(part?.charge.dueMinor ?? order.totalMinor).toBe(order.totalMinor);
    });
    fc.assert(run);
  });

  test('the units of the other lines keep their price, whichever line is not sent', () => {
    // A hundredth of the adjustment belongs to no line alone: the largest remainder decides once.
    const lines = ['a', 'b', 'c'].map((sku) => ({
      sku,
      name: sku,
      quantity: 1,
      unitPriceMinor: 100,
    }));
    const order = { totalMinor: 301, creditMinor: 0, lines };
    const cost = (...skus: readonly string[]) =>
      reduceOrder(
        order,
        skus.map((sku) => ({ sku, quantity: 1 })),
        { stepMinor: 1, minMinor: 50, maxMinor: 1_000 },
      )?.charge.dueMinor;
    expect([cost('a'), cost('b'), cost('c')]).toEqual([101, 100, 100]);
    expect([cost('a', 'b'), cost('b', 'c')]).toEqual([201, 200]);
  });

  test.each([
    ['what is sent costs less than a card can be charged', 0, null],
    ['store credit pays a part, and the card pays what is left of it', 260, 40],
    ['store credit pays all', 300, 0],
  ])('when %s, the card pays so', (_, creditMinor, expected) => {
    const lines = [
      { sku: 'cheap', name: 'x', quantity: 1, unitPriceMinor: 40 },
      { sku: 'dear', name: 'x', quantity: 1, unitPriceMinor: 260 },
    ];
    const order = { totalMinor: 300, creditMinor, lines };
    const limits = { stepMinor: 1, minMinor: creditMinor === 260 ? 30 : 50, maxMinor: 1_000 };
    const part = reduceOrder(order, [{ sku: 'cheap', quantity: 1 }], limits);
    expect(part?.charge.cardMinor ?? null).toBe(expected);
  });
});
