import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderNumber, readOrderNumber } from '../../domain/order-number.ts';
import { newId } from '../../prisma/client/ids.ts';

test('an order number has three groups of three, without letters that are taken for digits', () => {
  for (let made = 0; made < 200; made += 1) {
    const id = newId('order');
    const number = orderNumber(id);
    expect(number).toMatch(/^[0-9A-HJKMNP-TV-Z]{3}(?:-[0-9A-HJKMNP-TV-Z]{3}){2}$/);
    expect(readOrderNumber(number)).toBe(id.slice(-9));
  }
});

test('an order number is read in any case, with or without dashes, with O, I and L for 0 and 1', () => {
  const spelling = fc.array(
    fc.record({
      upper: fc.boolean(),
      dash: fc.constantFrom('', '-', ' '),
      one: fc.constantFrom('1', 'i', 'l'),
    }),
    { minLength: 9, maxLength: 9 },
  );
  fc.assert(
    fc.property(spelling, (as) => {
      const end = newId('order').slice(-9);
      const written = end.split('').map((letter, at) => {
        const { upper = false, dash = '', one = '1' } = as[at] ?? {};
        const said = letter === '0' ? 'o' : letter === '1' ? one : letter;
        return `${upper ? said.toUpperCase() : said}${dash}`;
      });
      expect(readOrderNumber(written.join(''))).toBe(end);
    }),
  );
});

test.each(['', 'M6T-2Y8-H7', 'M6T-2Y8-H7C1', 'U6T-2Y8-H7C', 'M6T/2Y8/H7C', 'ada@example'])(
  'the text "%s" is no order number',
  (text) => {
    expect(readOrderNumber(text)).toBeNull();
  },
);

test('ids of the same moment have different numbers', () => {
  const numbers = Array.from({ length: 20_000 }, () => orderNumber(newId('order')));
  expect(new Set(numbers).size).toBe(numbers.length);
});
