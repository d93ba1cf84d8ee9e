import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { purgeOld } from '../../activities/operations/purge.ts';
import { quoteSchema } from '../../api/schemas/quotes.ts';
import { DEFAULT_RETENTION } from '../../domain/retention.ts';
import { newId } from '../../prisma/client/ids.ts';
import { orderBody } from '../support/client.ts';
import { inActivity } from '../support/in-activity.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects, useShop } from '../support/shop.ts';

const shop = useShop();

const MUGS = { lines: [{ sku: 'mug-white', quantity: 2 }], currency: 'EUR' };
const SHIPPING = { kind: 'shipping', label: 'Standard shipping', amount_minor: 490 };
const VOUCHER = { kind: 'discount', label: "Ada's voucher", amount_minor: -240 };

const ask = (body: object) => shop.request('POST', '/v1/quotes', { body });

async function quoteOf(body: object) {
  const response = await ask(body);
  const quote = quoteSchema.parse(await response.json());
  expect(response.status).toBe(quote.id === null ? 200 : 201);
  return quote;
}

/** The id of the quote of a cart with which nothing is wrong. */
async function quoted(body: object): Promise<string> {
  return z.string().parse((await quoteOf(body)).id);
}

const codesOf = (quote: Awaited<ReturnType<typeof quoteOf>>) =>
  Object.fromEntries(quote.problems.map(({ pointer, code }) => [pointer, code]));

const price = (sku: string, priceMinor: number) =>
  shop.request('PUT', `/v1/products/${sku}`, {
    role: 'admin',
    body: { name: 'As before', price_minor: priceMinor, currency: 'EUR' },
  });

describe('POST /v1/quotes', () => {
  test('a cart with which nothing is wrong is quoted for 15 minutes, and holds nothing', async () => {
    const before = await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } });
    const quote = await quoteOf({ ...MUGS, adjustments: [SHIPPING, VOUCHER] });
    expect(quote).toEqual({
      object: 'quote',
      id: expect.stringMatching(/^quo_[0-9a-z]{26}$/),
      expires_at: expect.any(String),
      currency: 'EUR',
      lines: [
        {
          sku: 'mug-white',
          name: 'White mug',
          quantity: 2,
          unit_price_minor: 1_200,
          available: before.onHand - before.held,
        },
      ],
      adjustments: [SHIPPING, VOUCHER],
      total_minor: 2_650,
      problems: [],
    });
    const row = await shop.db.quote.findUniqueOrThrow({ where: { id: quote.id ?? '' } });
    expect(row.expiresAt.toISOString()).toBe(quote.expires_at);
    expect(row.expiresAt.getTime() - row.createdAt.getTime()).toBe(15 * 60_000);
    expect(await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } })).toEqual(before);
  });

  test('a stored quote has no text of the request: no label, no name and no address', async () => {
    const { payment_method: _, ...order } = orderBody();
    const id = await quoted({ ...order, adjustments: [SHIPPING, VOUCHER] });
    const row = JSON.stringify(await shop.db.quote.findUniqueOrThrow({ where: { id } }));
    expect(row).toContain('discount');
    for (const text of ['voucher', 'Standard', 'ada', 'Ada', 'Berlin', 'White mug']) {
      expect(row).not.toContain(text);
    }
  });

  test('everything that is wrong with a cart is reported at once, each with its place', async () => {
    const quotes = await shop.db.quote.count();
    const quote = await quoteOf({
      customer: { email: 'ada@', name: ' ' },
      shipping_address: { line1: 'Street 1', country: 'DE' },
      lines: [
        { sku: 'mug-white', quantity: 1, expected_unit_price_minor: 1_100 },
        { sku: 'sold-out', quantity: 1 },
        { sku: 'last-one', quantity: 3 },
        { sku: 'no-such', quantity: 1 },
        { sku: 'tee-black-m', quantity: 0 },
        { sku: 'tee-black-m', quantity: 600 },
        { sku: 'tee-black-m', quantity: 600 },
      ],
      adjustments: [{ ...SHIPPING, label: '' }],
      currency: 'EUR',
      payment_method: 'not a card',
      color: 'red',
    });
    expect(codesOf(quote)).toEqual({
      '#/customer/email': 'invalid_request',
      '#/customer/name': 'invalid_request',
      '#/shipping_address/city': 'invalid_request',
      '#/shipping_address/postal_code': 'invalid_request',
      '#/lines/0/expected_unit_price_minor': 'price_changed',
      '#/lines/1/quantity': 'out_of_stock',
      '#/lines/2/quantity': 'out_of_stock',
      '#/lines/3/sku': 'invalid_request',
      '#/lines/4/quantity': 'invalid_request',
      '#/lines/6/quantity': 'invalid_request',
      '#/adjustments/0/label': 'invalid_request',
      '#/payment_method': 'invalid_request',
      '#/color': 'invalid_request',
    });
    expect(quote).toMatchObject({ id: null, expires_at: null, total_minor: null });
    expect(quote.problems.map(({ detail }) => detail)).toContain('sold-out is sold out.');
    expect(await shop.db.quote.count()).toBe(quotes);
  });

  test('a total that has changed is reported where it was expected, with the total of now', async () => {
    const quote = await quoteOf({ ...MUGS, adjustments: [SHIPPING], expected_total_minor: 2_400 });
    expect(codesOf(quote)).toEqual({ '#/expected_total_minor': 'price_changed' });
    expect(quote).toMatchObject({ id: null, total_minor: 2_890 });
    await quoted({ ...MUGS, adjustments: [SHIPPING], expected_total_minor: 2_890 });
  });

  test('store credit that the customer does not have is reported with the rest', async () => {
    const { customer } = orderBody();
    const cart = { ...MUGS, credit_minor: 500 };
    await quoted(cart);
    expect(codesOf(await quoteOf({ ...cart, customer }))).toEqual({
      '#/credit_minor': 'credit_insufficient',
    });
    const incomplete = await quoteOf({ ...cart, customer: { email: customer.email } });
    expect(codesOf(incomplete)).toEqual({
      '#/customer/name': 'invalid_request',
      '#/credit_minor': 'credit_insufficient',
    });
    const tooMuch = await quoteOf({ ...MUGS, credit_minor: 2_401 });
    expect(codesOf(tooMuch)).toEqual({ '#/credit_minor': 'invalid_request' });
  });

  test('a currency without cards, or without a price of a line, is reported with the rest', async () => {
    const lines = ['mug-white', 'sold-out'].map((sku) => ({ sku, quantity: 1 }));
    expect(codesOf(await quoteOf({ lines, currency: 'CUP' }))).toEqual({
      '#/currency': 'invalid_request',
      '#/lines/1/quantity': 'out_of_stock',
    });
    const inUsd = await quoteOf({ lines, currency: 'USD' });
    expect(inUsd).toMatchObject({
      total_minor: null,
      lines: [{ sku: 'mug-white', unit_price_minor: 1_350 }],
      problems: [
        {
          pointer: '#/lines/1/sku',
          detail: 'sold-out has no price in USD. Its prices are in EUR.',
        },
        { pointer: '#/lines/1/quantity', code: 'out_of_stock' },
      ],
    });
    expect(inUsd.lines).toHaveLength(1);
  });

  test.each([
    ['no lines', { currency: 'EUR', lines: [] }, '#/lines'],
    ['lines that are none', { currency: 'EUR', lines: 'mug-white' }, '#/lines'],
    ['no currency', { lines: MUGS.lines }, '#/currency'],
    ['no currency of ISO 4217', { ...MUGS, currency: 'EURO' }, '#/currency'],
  ])('a body with %s cannot be checked at all', async (_, body, pointer) => {
    const problem = await problemOf(await ask(body));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(problem.errors?.map((each) => each.pointer)).toEqual([pointer]);
  });

  test('a quote that the database does not answer in time is given up, and can be asked for again', async () => {
    await shop.db.$transaction(async (tx) => {
      await tx.$executeRaw`LOCK TABLE products IN ACCESS EXCLUSIVE MODE`;
      const problem = await problemOf(await ask(MUGS));
      expect(problem).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
    });
    await quoted(MUGS);
  });
});

describe('an order with a quote', () => {
  const cart = { lines: [{ sku: 'poster-a2', quantity: 1 }], adjustments: [SHIPPING] };

  test('an order is sold at the prices of its quote while that is valid, and otherwise at those of now', async () => {
    const quote = await quoted({ ...cart, currency: 'EUR' });
    await price('poster-a2', 2_000);
    const order = await orderOf(await shop.place({ ...cart, quote, expected_total_minor: 2_390 }));
    expect(order).toMatchObject({
      total_minor: 2_390,
      lines: [{ sku: 'poster-a2', unit_price_minor: 1_900 }],
      payment: { amount_minor: 2_390 },
    });
    expect(await orderOf(await shop.place(cart))).toMatchObject({ total_minor: 2_490 });
    await price('poster-a2', 1_900);
  });

  test('several lines of one SKU, in any order and with other texts, are the same cart', async () => {
    const [mug, tee] = [
      { sku: 'mug-white', quantity: 2 },
      { sku: 'tee-black-m', quantity: 1 },
    ];
    const quote = await quoted({ ...MUGS, lines: [mug, tee], adjustments: [SHIPPING] });
    const lines = [tee, { ...mug, quantity: 1 }, { ...mug, quantity: 1 }];
    const adjustments = [{ ...SHIPPING, label: 'Standardversand' }];
    expect((await shop.place({ lines, adjustments, quote })).status).toBe(201);
  });

  test.each([
    ['another quantity', { lines: [{ sku: 'poster-a2', quantity: 2 }] }],
    ['another product', { lines: [{ sku: 'mug-white', quantity: 1 }] }],
    ['one product more', { lines: [...cart.lines, ...MUGS.lines] }],
    ['no adjustments', { adjustments: [] }],
    ['another amount', { adjustments: [{ ...SHIPPING, amount_minor: 0 }] }],
    ['another kind', { adjustments: [{ ...SHIPPING, kind: 'other' }] }],
    ['one adjustment more', { adjustments: [SHIPPING, VOUCHER] }],
    ['another currency', { currency: 'USD' }],
  ])('an order with a quote of a cart with %s is refused', async (_, changes) => {
    const quote = await quoted({ ...cart, currency: 'EUR' });
    const problem = await problemOf(await shop.place({ ...cart, ...changes, quote }));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(['#/quote']);
  });

  test.each([
    ['that does not exist', newId('quote')],
    ['whose id is none', 'quo_1'],
  ])('an order with a quote %s is refused', async (_, quote) => {
    const problem = await problemOf(await shop.place({ ...cart, quote }));
    expect(problem).toMatchObject({ status: 422, errors: [{ pointer: '#/quote' }] });
  });

  test('an expired quote is evaluated afresh: the order is accepted at the same total, and refused at another', async () => {
    const quote = await quoted({ ...cart, currency: 'EUR' });
    await shop.db.$executeRaw`
      UPDATE quotes SET created_at = created_at - interval '15 min',
        expires_at = expires_at - interval '15 min' WHERE id = ${quote}`;
    await price('poster-a2', 2_000);
    const effects = paymentEffects(shop);
    expect(await problemOf(await shop.place({ ...cart, quote }))).toMatchObject({
      status: 409,
      code: 'price_changed',
      total_minor: 2_490,
      expected_total_minor: 2_390,
      errors: [{ pointer: '#/quote' }],
    });
    expect(paymentEffects(shop)).toEqual(effects);
    await price('poster-a2', 1_900);
    expect(await orderOf(await shop.place({ ...cart, quote }))).toMatchObject({
      total_minor: 2_390,
    });
  });

  test('the sweep deletes a quote a day after its expiry, and an order with it is refused from then on', async () => {
    const [expired, deleted] = [await quoted(MUGS), await quoted(MUGS)];
    const age = (id: string, hours: number) => shop.db.$executeRaw`
      UPDATE quotes SET created_at = created_at - ${hours} * interval '1 hour',
        expires_at = expires_at - ${hours} * interval '1 hour' WHERE id = ${id}`;
    await age(expired, 24);
    await age(deleted, 25);
    await inActivity(() => purgeOld({ db: shop.db, retention: DEFAULT_RETENTION }));
    const place = (quote: string) => shop.place({ lines: MUGS.lines, quote });
    expect((await place(expired)).status).toBe(201);
    expect(await problemOf(await place(deleted))).toMatchObject({
      status: 422,
      errors: [{ pointer: '#/quote' }],
    });
  });

  test('a moved price of a line is refused with its place, and with the total that was expected', async () => {
    const lines = [{ ...MUGS.lines[0], expected_unit_price_minor: 1_000 }];
    expect(await problemOf(await shop.place({ lines, adjustments: [SHIPPING] }))).toMatchObject({
      code: 'price_changed',
      total_minor: 2_890,
      expected_total_minor: 2_490,
      errors: [{ pointer: '#/lines/0/expected_unit_price_minor' }],
    });
  });

  /** Of products that are there, short, sold out and unknown. */
  const carts = fc.record(
    {
      lines: fc.array(
        fc.record({
          sku: fc.constantFrom('mug-white', 'tee-black-m', 'sold-out', 'last-one', 'no-such'),
          quantity: fc.constantFrom(1, 2, 1_000),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      adjustments: fc.array(
        fc.record({
          kind: fc.constantFrom('shipping', 'tax', 'discount', 'other'),
          label: fc.constantFrom('Shipping', 'Less'),
          amount_minor: fc.constantFrom(490, 0, -200, -1_200, -100_000, 99_999_999),
        }),
        { maxLength: 3 },
      ),
      expected_total_minor: fc.constantFrom(1_200, 2_400),
    },
    { requiredKeys: ['lines'] },
  );

  test('an order of any cart is accepted exactly when its quote had no problems, and else refused for those', async () => {
    const run = fc.asyncProperty(carts, async (cart) => {
      const quote = await quoteOf({ ...cart, currency: 'EUR' });
      const response = await shop.place({ ...cart, ...(quote.id !== null && { quote: quote.id }) });
      if (quote.id !== null) {
        expect(await orderOf(response)).toMatchObject({ total_minor: quote.total_minor });
        return;
      }
      const { code } = await problemOf(response);
      const codes = quote.problems.map((each) => each.code);
      const first = ['invalid_request', 'price_changed', 'out_of_stock'] as const;
      expect(code).toBe(first.find((each) => codes.includes(each)));
    });
    await fc.assert(run, { numRuns: 30 });
  });
});
