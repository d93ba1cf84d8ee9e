import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { quoteSchema } from '../../api/schemas/quotes.ts';
import { listOf, orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects, useShop } from '../support/shop.ts';

/** Products with prices in several currencies, and orders in each of them. */
const shop = useShop();
const ADMIN = { role: 'admin' } as const;

describe('a product with prices in several currencies', () => {
  const PRICES = [
    { currency: 'KWD', price_minor: 4_000 },
    { currency: 'USD', price_minor: 1_350 },
  ];
  const put = (changes: object, headers: Record<string, string> = {}) =>
    shop.request('PUT', '/v1/products/cup', {
      ...ADMIN,
      body: { name: 'A cup', price_minor: 1_200, currency: 'EUR', ...changes },
      headers,
    });
  const show = (headers: Record<string, string> = {}) =>
    shop.request('GET', '/v1/products/cup', { headers });

  test('prices are set, replaced and removed with the product, and its entity tag changes with them', async () => {
    const created = await put({ prices: PRICES.toReversed() });
    expect([created.status, created.headers.get('etag')]).toEqual([201, '"v1"']);
    expect(await created.json()).toMatchObject({ currency: 'EUR', prices: PRICES });
    expect(await (await show()).json()).toMatchObject({ price_minor: 1_200, prices: PRICES });
    const { data } = await listOf(await shop.request('GET', '/v1/products?q=cup'));
    expect(data).toMatchObject([{ sku: 'cup', prices: PRICES }]);

    const [, usd] = PRICES;
    const changed = await put({ prices: [usd] }, { 'if-match': '"v1"' });
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"v2"']);
    const seen = await show({ 'if-none-match': '"v1"' });
    expect([seen.status, await seen.json()]).toMatchObject([200, { prices: [usd] }]);
    expect((await put({ prices: PRICES }, { 'if-match': '"v1"' })).status).toBe(412);
    const archived = await shop.request('PATCH', '/v1/products/cup', {
      ...ADMIN,
      body: { archived: true },
    });
    expect(await archived.json()).toMatchObject({ version: 3, prices: [usd] });
    expect(await (await put({})).json()).toMatchObject({ version: 4, prices: [] });
    const audited = await shop.db.auditEntry.findMany({ where: { subject: 'cup' } });
    expect(audited.map(({ data }) => data)).toMatchObject([{ prices: [{}, {}] }, {}, {}, {}]);
  });

  test('20 concurrent puts leave the prices of one of them', async () => {
    const bodies = Array.from({ length: 20 }, (_, at) => ({
      price_minor: 100 + at,
      prices: [{ currency: at % 2 === 0 ? 'USD' : 'GBP', price_minor: 100 + at }],
    }));
    const responses = await Promise.all(bodies.map((body) => put(body)));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    const { price_minor: own, prices } = z
      .object({ price_minor: z.number(), prices: z.array(z.object({ price_minor: z.number() })) })
      .parse(await (await show()).json());
    expect(prices).toMatchObject([{ price_minor: own }]);
  });

  test.each([
    ['two prices in a currency', [PRICES[0], PRICES[0]], '#/prices/1/currency'],
    ['another price in its own', [{ currency: 'EUR', price_minor: 1 }], '#/prices/0/currency'],
    [
      'a price that no card can pay',
      [{ currency: 'KWD', price_minor: 5 }],
      '#/prices/0/price_minor',
    ],
    ['a price of nothing', [{ currency: 'USD', price_minor: 0 }], '#/prices/0/price_minor'],
    [
      'a price above the largest',
      [{ currency: 'JPY', price_minor: 2_147_483_648 }],
      '#/prices/0/price_minor',
    ],
    [
      'a price that is no number',
      [{ currency: 'USD', price_minor: '1' }],
      '#/prices/0/price_minor',
    ],
    ['a currency without cards', [{ currency: 'CUP', price_minor: 500 }], '#/prices/0/currency'],
  ])('a product with %s is refused, and nothing is changed', async (_, prices, pointer) => {
    const before = await (await show()).text();
    const problem = await problemOf(await put({ prices }));
    expect(problem).toMatchObject({ status: 422, errors: [{ pointer }] });
    expect(await (await show()).text()).toBe(before);
  });

  test('an order takes the prices in its currency, and a line without one is refused with those it has', async () => {
    const lines = ['mug-white', 'tee-black-m'].map((sku) => ({ sku, quantity: 2 }));
    const order = await orderOf(await shop.place({ lines, currency: 'USD' }));
    expect(order).toMatchObject({
      currency: 'USD',
      total_minor: 8_300,
      lines: [{ unit_price_minor: 1_350 }, { unit_price_minor: 2_800 }],
      payment: { amount_minor: 8_300, currency: 'USD' },
    });
    const effects = paymentEffects(shop);
    const problem = await problemOf(await shop.place({ lines, currency: 'JPY' }));
    expect(problem.errors).toEqual([
      {
        pointer: '#/lines/1/sku',
        detail: 'tee-black-m has no price in JPY. Its prices are in EUR, USD.',
      },
    ]);
    expect(paymentEffects(shop)).toEqual(effects);
  });

  test('expected prices and totals are of the currency of the order, and so is what a quote pins', async () => {
    await shop.stock('fez', 50, { prices: [{ currency: 'KWD', price_minor: 2_000 }] });
    const lines = [{ sku: 'fez', quantity: 2, expected_unit_price_minor: 1_000 }];
    const changed = await problemOf(await shop.place({ lines, currency: 'KWD' }));
    expect(changed).toMatchObject({ code: 'price_changed', total_minor: 4_000 });
    expect(changed.errors).toMatchObject([
      { detail: expect.stringMatching(/costs KWD.2\.000\.$/) },
    ]);
    const cart = { lines: [{ sku: 'fez', quantity: 2 }], currency: 'KWD' };
    const quote = quoteSchema.parse(
      await (await shop.request('POST', '/v1/quotes', { body: cart })).json(),
    );
    await shop.stock('fez', 0, { prices: [] });
    const gone = await problemOf(await shop.place(cart));
    expect(gone.errors).toMatchObject([{ pointer: '#/lines/0/sku' }]);
    const order = await orderOf(await shop.place({ ...cart, quote: quote.id }));
    expect(order).toMatchObject({ total_minor: 4_000, currency: 'KWD' });
  });
});
