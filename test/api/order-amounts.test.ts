import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { quoteSchema } from '../../api/schemas/quotes.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import { paidOrder } from '../support/orders.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { placesOfRefusal, useShop } from '../support/shop.ts';

/** What an order may cost, in every currency, and that nothing adds up to a wrong number. */
const shop = useShop();
const OPERATOR = { role: 'operator' } as const;

const refusedPlaces = (changes: object) => placesOfRefusal(shop, changes);

describe('the amount of an order', () => {
  const sell = async (currency: string, price: number) => {
    const sku = `${currency}-${price}`;
    await shop.stock(sku, 5, { price_minor: price, currency });
    return { lines: [{ sku, quantity: 1 }], currency };
  };

  test.each([
    ['EUR', 49, 50],
    ['GBP', 29, 30],
    ['HUF', 17_499, 17_500],
    ['JPY', 49, 50],
    ['MXN', 999, 1_000],
    ['CZK', 1_499, 1_500],
  ])('in %s a total of %i is refused and one of %i is placed', async (currency, less, least) => {
    expect(await refusedPlaces(await sell(currency, less))).toContain('#/lines');
    expect((await shop.place(await sell(currency, least))).status).toBe(201);
  });

  test.each([
    ['EUR', 99_999_999, 100_000_000],
    ['ISK', 999_999, 1_000_000],
    ['INR', 999_999_999, 1_000_000_000],
  ])('in %s a price of %i is the highest', async (currency, most, more) => {
    expect((await shop.place(await sell(currency, most))).status).toBe(201);
    const body = { name: 'More', price_minor: more, currency };
    const response = await shop.request('PUT', '/v1/products/more', { role: 'admin', body });
    expect(await problemOf(response)).toMatchObject({
      status: 422,
      errors: [{ pointer: '#/price_minor' }],
    });
  });

  test('many units of a high price are refused beyond the highest total', async () => {
    const order = await sell('EUR', 99_999_998);
    expect(
      await refusedPlaces({ ...order, lines: [{ ...order.lines[0], quantity: 2 }] }),
    ).toContain('#/lines');
  });

  test.each([
    ['KWD', 5_125],
    ['JOD', 1],
    ['MGA', 250_050],
  ])(
    'a price in %s of %i, which the provider cannot charge, is refused',
    async (currency, price) => {
      const body = { name: 'Odd', price_minor: price, currency };
      const response = await shop.request('PUT', '/v1/products/odd', { role: 'admin', body });
      expect(await problemOf(response)).toMatchObject({
        status: 422,
        errors: [{ pointer: '#/price_minor' }],
      });
    },
  );

  test.each(['CUP', 'KPW', 'IRR', 'SYP', 'VES', 'XAU', 'XXX', 'ANG', 'DEM', 'eur', 'EURO'])(
    'the currency %s is refused for a product and for an order',
    async (currency) => {
      const body = { name: 'Unpaid', price_minor: 10_000, currency };
      const response = await shop.request('PUT', '/v1/products/unpaid', { role: 'admin', body });
      expect(await problemOf(response)).toMatchObject({
        status: 422,
        errors: [{ pointer: '#/currency' }],
      });
      expect(await refusedPlaces({ currency })).toContain('#/currency');
    },
  );
});

const TWO_MUGS = { lines: [{ sku: 'mug-white', quantity: 2 }] };
const SHIPPING = { kind: 'shipping', label: 'Standard shipping', amount_minor: 490 };
const VOUCHER = { kind: 'discount', label: "Ada's voucher", amount_minor: -240 };

describe('the adjustments of an order', () => {
  test('adjustments are summed into the total that is authorized, and read with the order', async () => {
    const adjustments = [SHIPPING, { kind: 'tax', label: 'VAT 19 %', amount_minor: 456 }, VOUCHER];
    const order = await orderOf(await shop.place({ ...TWO_MUGS, adjustments }));
    expect(order).toMatchObject({
      total_minor: 3_106,
      adjustments,
      payment: { amount_minor: 3_106 },
    });
    const read = await orderOf(await shop.request('GET', `/v1/orders/${order.id}`));
    expect(read).toMatchObject({ total_minor: 3_106, adjustments });
    const list = await shop.request('GET', '/v1/orders?limit=1', { role: 'operator' });
    expect(await list.json()).toMatchObject({ data: [{ id: order.id, adjustments }] });
  });

  const MAX = 2_147_483_647;
  const one = (changes: object) => [{ ...SHIPPING, ...changes }];
  const many = (count: number) => Array.from({ length: count }, () => SHIPPING);

  test.each([
    ['an amount beyond an integer', one({ amount_minor: MAX + 1 }), '/0/amount_minor'],
    ['an amount below one', one({ amount_minor: -MAX - 1 }), '/0/amount_minor'],
    ['a fraction', one({ amount_minor: 4.9 }), '/0/amount_minor'],
    ['an amount in words', one({ amount_minor: '490' }), '/0/amount_minor'],
    ['no amount', one({ amount_minor: undefined }), '/0/amount_minor'],
    ['a label of blanks', one({ label: ' \u200b' }), '/0/label'],
    ['a label of two lines', one({ label: 'Standard\nshipping' }), '/0/label'],
    ['a label that reorders what follows', one({ label: 'a\u202eb' }), '/0/label'],
    ['a label of 101 characters', one({ label: 'x'.repeat(101) }), '/0/label'],
    ['a label that cannot be stored', one({ label: 'a\u0000' }), '/0/label'],
    ['no label', one({ label: undefined }), '/0/label'],
    ['an unknown kind', one({ kind: 'handling' }), '/0/kind'],
    ['an unknown member', one({ rate: 19 }), '/0/rate'],
    ['21 of them', many(21), ''],
    ['no list', SHIPPING, ''],
    ['more taken off than the lines cost', one({ amount_minor: -2_401 }), ''],
  ])('adjustments with %s are refused', async (_, adjustments, place) => {
    const problem = await problemOf(await shop.place({ ...TWO_MUGS, adjustments }));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(problem.errors?.map(({ pointer }) => pointer)).toContain(`#/adjustments${place}`);
  });

  test.each([
    ['20 of them', many(20), 12_200],
    ['a label of 100 emojis', one({ label: '😀'.repeat(100) }), 2_890],
    ['an amount of zero', one({ amount_minor: 0 }), 2_400],
    [
      'amounts that cancel each other',
      [...one({ amount_minor: MAX }), ...one({ amount_minor: -MAX })],
      2_400,
    ],
  ])('adjustments with %s are taken', async (_, adjustments, total) => {
    expect(await orderOf(await shop.place({ ...TWO_MUGS, adjustments }))).toMatchObject({
      total_minor: total,
      adjustments,
    });
  });

  test.each([
    ['more than a card can be charged', 99_999_999],
    ['less than a card can be charged', -2_390],
  ])('adjustments that make the total %s are refused', async (_, amount) => {
    const adjustments = one({ amount_minor: amount });
    const problem = await problemOf(await shop.place({ ...TWO_MUGS, adjustments }));
    expect(problem).toMatchObject({ status: 422, errors: [{ pointer: '#/lines' }] });
  });

  test('adjustments off the step of a currency are refused like prices', async () => {
    await shop.stock('coffee', 10, { price_minor: 50_000, currency: 'JOD' });
    const cart = { lines: [{ sku: 'coffee', quantity: 1 }], currency: 'JOD' };
    const adjustments = [...one({ amount_minor: 495 }), ...one({ amount_minor: -5 })];
    const problem = await problemOf(await shop.place({ ...cart, adjustments }));
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual([
      '#/adjustments/0/amount_minor',
      '#/adjustments/1/amount_minor',
    ]);
    const taken = await shop.place({ ...cart, adjustments: one({ amount_minor: 1_000 }) });
    expect(await orderOf(taken)).toMatchObject({ total_minor: 51_000 });
  });
});

describe('an amount beyond the largest integer', () => {
  const LARGEST = { EUR: 99_999_999, HUF: MAX_INTEGER, JPY: MAX_INTEGER, KWD: 99_999_990 };

  test('whatever a cart adds up to, quote and order say its exact sum, and refuse one beyond the largest', async () => {
    await shop.stock('gold', 1_000_000, {
      price_minor: LARGEST.EUR,
      prices: Object.entries(LARGEST)
        .filter(([currency]) => currency !== 'EUR')
        .map(([currency, price_minor]) => ({ currency, price_minor })),
    });
    const minor = fc.oneof(
      fc.constantFrom(-MAX_INTEGER, -LARGEST.EUR, -10, 0, 10, LARGEST.KWD, MAX_INTEGER),
      fc.integer({ min: -MAX_INTEGER, max: MAX_INTEGER }).map((value) => value - (value % 10)),
    );
    const expected = fc.option(fc.constantFrom(0, 10, LARGEST.EUR, MAX_INTEGER), {
      nil: undefined,
    });
    const line = fc.record({
      sku: fc.constant('gold'),
      quantity: fc.constantFrom(1, 2, 21, 100),
      expected_unit_price_minor: expected,
    });
    const cart = fc.record({
      lines: fc.array(line, { minLength: 1, maxLength: 3 }),
      adjustments: fc.array(
        fc.record({ kind: fc.constant('other'), label: fc.constant('x'), amount_minor: minor }),
        { maxLength: 20 },
      ),
      currency: fc.constantFrom('EUR', 'HUF', 'JPY', 'KWD'),
      credit_minor: fc.constantFrom(0, 10, MAX_INTEGER),
      expected_total_minor: expected,
    });
    await fc.assert(
      fc.asyncProperty(cart, async (body) => {
        const total = exactTotal(body, LARGEST[body.currency]);
        const asked = await shop.request('POST', '/v1/quotes', { body });
        const quote = quoteSchema.parse(await asked.json());
        expect(BigInt(quote.total_minor ?? -1)).toBe(total);
        const placed = await shop.place(body);
        if (placed.status === 201) {
          const order = await orderOf(placed);
          expect(order).toMatchObject({ total_minor: Number(total) });
          expect(total).toBeLessThanOrEqual(BigInt(MAX_INTEGER));
          return;
        }
        const problem = await problemOf(placed);
        expect([409, 422]).toContain(problem.status);
        expect(quote.id === null || body.credit_minor > 0).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['expected_total_minor', { expected_total_minor: 2_147_483_648 }, '#/expected_total_minor'],
    ['credit_minor', { credit_minor: 2_147_483_648 }, '#/credit_minor'],
    [
      'expected_unit_price_minor',
      { lines: [{ sku: 'mug-white', quantity: 2, expected_unit_price_minor: 2 ** 53 - 1 }] },
      '#/lines/0/expected_unit_price_minor',
    ],
  ])('an order with a %s above it is refused at its place', async (_, changes, pointer) => {
    expect(await refusedPlaces(changes)).toEqual([pointer]);
    const body = { lines: [{ sku: 'mug-white', quantity: 1 }], currency: 'EUR', ...changes };
    const asked = await shop.request('POST', '/v1/quotes', { body });
    const { problems } = quoteSchema.parse(await asked.json());
    expect(problems.map((each) => each.pointer)).toContain(pointer);
  });

  test('an order whose lines are above it and whose total is not is refunded by lines to the last unit', async () => {
    const price = 2_000_000_000;
    await shop.stock('crown', 10, { price_minor: price, currency: 'HUF' });
    const off = { kind: 'discount', label: 'Half', amount_minor: -price };
    const id = await paidOrder(shop, {
      lines: [{ sku: 'crown', quantity: 3 }],
      adjustments: [off, off],
      currency: 'HUF',
    });
    const refund = (body: object) =>
      shop.request('POST', `/v1/orders/${id}/refunds`, {
        ...OPERATOR,
        key: crypto.randomUUID(),
        body: { reason: 'returned', ...body },
      });
    const above = await problemOf(await refund({ amount_minor: 2_147_483_648 }));
    expect(above.errors).toMatchObject([{ pointer: '#/amount_minor' }]);
    const most = await problemOf(await refund({ amount_minor: MAX_INTEGER }));
    expect(most).toMatchObject({ code: 'refund_exceeds_captured', refundable_minor: price });
    const amounts: number[] = [];
    for (let unit = 1; unit <= 3; unit += 1) {
      const accepted = await refund({ lines: [{ sku: 'crown', quantity: 1 }] });
      expect(accepted.status).toBe(202);
      amounts.push(
        z.object({ amount_minor: z.number() }).parse(await accepted.json()).amount_minor,
      );
    }
    expect(amounts.reduce((sum, each) => sum + each, 0)).toBe(price);
    expect((await problemOf(await refund({}))).code).toBe('refund_exceeds_captured');
  });
});

/** In unbounded integers. */
function exactTotal(
  {
    lines,
    adjustments,
  }: { lines: readonly { quantity: number }[]; adjustments: readonly { amount_minor: number }[] },
  priceMinor: number,
): bigint {
  const prices = lines.map(({ quantity }) => BigInt(quantity) * BigInt(priceMinor));
  const others = adjustments.map(({ amount_minor }) => BigInt(amount_minor));
  return [...prices, ...others].reduce((sum, each) => sum + each, 0n);
}
