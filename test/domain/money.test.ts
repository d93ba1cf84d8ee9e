import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COUNTRIES, hasPostalCodes } from '../../domain/iso-3166.ts';
import { CURRENCIES, decimalsOf } from '../../domain/iso-4217.ts';
import { formatMoney, fromMinor, sumMinor, toMinor } from '../../domain/money.ts';

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
    ['HUF', 250_000, /^HUF.2,500\.00$/],
    ['TWD', 250_000, 'NT$2,500.00'],
    ['IDR', 250_000, /^IDR.2,500\.00$/],
    ['ISK', 2_500, /^ISK.2,500$/],
    ['MGA', 250_000, /^MGA.2,500\.00$/],
    ['ZZZ', 250_000, '250000 minor units of ZZZ'],
    ['no code', 250_000, '250000 minor units of no code'],
    ['USD', -250, '-$2.50'],
  ])('formatMoney writes %s %i with its ISO 4217 decimals', (currency, amountMinor, written) => {
    const text = formatMoney({ amountMinor, currency });
    if (typeof written === 'string') expect(text).toBe(written);
    else expect(text).toMatch(written);
  });

  test('formatMoney keeps every digit', () => {
    const currency = fc.constantFrom(...CURRENCIES);
    fc.assert(
      fc.property(fc.maxSafeInteger(), currency, (amountMinor, code) => {
        const text = formatMoney({ amountMinor, currency: code });
        const digits = text.replaceAll(/\D/g, '');
        expect(text.startsWith('-') ? -Number(digits) : Number(digits)).toBe(amountMinor);
        const [, fraction = ''] = /\.(\d+)$/.exec(text) ?? [];
        expect(fraction).toHaveLength(decimalsOf(code) ?? -1);
      }),
    );
  });
});

describe('an amount that a person types', () => {
  test.each([
    ['12.50', 'EUR', 1_250],
    ['12,5', 'EUR', 1_250],
    ['12', 'EUR', 1_200],
    ['0.999', 'KWD', 999],
    ['1500', 'JPY', 1_500],
  ])('%s %s is %d minor units', (text, currency, minor) => {
    expect(toMinor(text, currency)).toBe(minor);
  });

  test.each([
    ['12.505', 'EUR'],
    ['1.5', 'JPY'],
    ['-1', 'EUR'],
    ['1e3', 'EUR'],
    ['1,000.00', 'EUR'],
    ['', 'EUR'],
    ['.5', 'EUR'],
    ['12.50', 'XXX'],
    ['90071992547409.92', 'EUR'],
    ['12345678901234567', 'JPY'],
  ])('"%s" %s is no amount', (text, currency) => {
    expect(toMinor(text, currency)).toBeNull();
  });

  test('an amount that is shown to be changed reads as itself', () => {
    const currency = fc.constantFrom(...CURRENCIES);
    fc.assert(
      fc.property(fc.maxSafeNat(), currency, (minor, code) => {
        expect(toMinor(fromMinor(minor, code), code)).toBe(minor);
      }),
    );
  });

  test.each([0.5, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER + 1, 1e21])(
    '%d minor units are no amount, and are not written as one',
    (minor) => {
      expect(() => fromMinor(minor, 'EUR')).toThrow(RangeError);
      expect(() => formatMoney({ amountMinor: minor, currency: 'EUR' })).toThrow(RangeError);
    },
  );
});

describe('the tables of the standards', () => {
  test('ISO 4217 has 156 currencies, and its decimals are not those that the runtime displays', () => {
    expect(new Set(CURRENCIES).size).toBe(156);
    for (const code of CURRENCIES) expect(code).toMatch(/^[A-Z]{3}$/);
    const decimals = { JPY: 0, ISK: 0, HUF: 2, TWD: 2, IDR: 2, MGA: 2, KWD: 3, EUR: 2 };
    for (const [code, expected] of Object.entries(decimals))
      expect(decimalsOf(code)).toBe(expected);
    for (const none of ['ANG', 'BGN', 'HRK', 'XAU', 'XXX', 'XTS', 'DEM', 'BTC', 'eur', '']) {
      expect(decimalsOf(none), none).toBeUndefined();
    }
  });

  test('ISO 3166-1 has 249 countries, without former, reserved and private codes', () => {
    expect(new Set(COUNTRIES).size).toBe(249);
    for (const code of COUNTRIES) expect(code).toMatch(/^[A-Z]{2}$/);
    for (const one of ['GB', 'TW', 'AX', 'SS', 'PS']) expect(COUNTRIES).toContain(one);
    for (const none of ['UK', 'SU', 'YU', 'AN', 'EU', 'XK', 'ZZ', 'AC', 'DD', 'de']) {
      expect(COUNTRIES).not.toContain(none);
    }
  });

  test('only some countries have no postal codes', () => {
    const without = COUNTRIES.filter((code) => !hasPostalCodes(code));
    expect(without).toHaveLength(71);
    for (const code of ['AE', 'HK', 'QA', 'BS']) expect(without).toContain(code);
    for (const code of ['DE', 'US', 'GB', 'IE', 'JP', 'IN']) expect(without).not.toContain(code);
  });
});
