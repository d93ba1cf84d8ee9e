import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMoney, sumMinor } from '../../domain/money.ts';

describe('sumMinor', () => {
  test('sumMinor adds unit price times quantity over the lines', () => {
    const lines = [
      { unitPriceMinor: 1200, quantity: 2 },
      { unitPriceMinor: 1, quantity: 3 },
    ];
    expect(sumMinor(lines)).toBe(2403);
    expect(sumMinor([])).toBe(0);
  });

  test('sumMinor equals the sum in unbounded integers or throws a RangeError', () => {
    const line = fc.record({
      unitPriceMinor: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      quantity: fc.nat({ max: 10_000 }),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        const exact = lines.reduce(
          (sum, each) => sum + BigInt(each.unitPriceMinor) * BigInt(each.quantity),
          0n,
        );
        if (exact > BigInt(Number.MAX_SAFE_INTEGER)) {
          expect(() => sumMinor(lines)).toThrow(RangeError);
        } else {
          expect(BigInt(sumMinor(lines))).toBe(exact);
        }
      }),
    );
  });

  test('sumMinor does not depend on the order of the lines', () => {
    const line = fc.record({ unitPriceMinor: fc.nat(), quantity: fc.nat({ max: 99 }) });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        expect(sumMinor(lines.toReversed())).toBe(sumMinor(lines));
      }),
    );
  });

  test('sumMinor throws for fractions and for sums above the largest safe integer', () => {
    const most = { unitPriceMinor: Number.MAX_SAFE_INTEGER, quantity: 1 };
    expect(sumMinor([most])).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => sumMinor([most, { unitPriceMinor: 1, quantity: 1 }])).toThrow(RangeError);
    expect(() => sumMinor([{ unitPriceMinor: 0.5, quantity: 1 }])).toThrow(RangeError);
  });
});

describe('formatMoney', () => {
  test.each([
    ['EUR', 123_456, '€1,234.56'],
    ['EUR', 0, '€0.00'],
    ['EUR', 5, '€0.05'],
    ['JPY', 123_456, '¥123,456'],
    ['BHD', 123_456, /^BHD.123\.456$/],
    ['USD', -250, '-$2.50'],
  ])('formatMoney writes %s %i with its ISO 4217 decimals', (currency, amountMinor, written) => {
    const text = formatMoney({ amountMinor, currency });
    if (typeof written === 'string') expect(text).toBe(written);
    else expect(text).toMatch(written);
  });

  test('formatMoney keeps every digit', () => {
    const currency = fc.constantFrom('EUR', 'JPY', 'BHD');
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000_000_000 }), currency, (amountMinor, code) => {
        const digits = formatMoney({ amountMinor, currency: code }).replaceAll(/\D/g, '');
        expect(Number(digits)).toBe(amountMinor);
      }),
    );
  });
});
