import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderOf, problemOf } from './bodies.ts';
import { createShop, orderBody, paymentEffects, type Shop } from './shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
afterAll(() => shop.close());

const held = async (sku: string) =>
  (await shop.db.stock.findUniqueOrThrow({ where: { sku } })).held;

describe('201', () => {
  test('an accepted order has its stock held and its money authorized', async () => {
    const before = await held('mug-white');
    const response = await shop.place({ lines: [{ sku: 'mug-white', quantity: 2 }] });
    expect(response.status).toBe(201);
    const order = await orderOf(response);
    expect(order).toMatchObject({
      object: 'order',
      status: 'placed',
      currency: 'EUR',
      total_minor: 2_400,
      lines: [{ sku: 'mug-white', name: 'White mug', quantity: 2, unit_price_minor: 1_200 }],
      customer: { email: 'ada@example.com', name: 'Ada Example', phone: null },
      payment: { status: 'authorized', amount_minor: 2_400, captured_minor: 0 },
    });
    expect(response.headers.get('location')).toBe(`/v1/orders/${order.id}`);
    expect(response.headers.get('etag')).toBe(`"v${order.version}"`);
    expect(await held('mug-white')).toBe(before + 2);
    expect(paymentEffects(shop, order.id)).toEqual({ authorize: 1 });
  });

  test('its workflow is started after the answer, and that is remembered', async () => {
    const { id } = await orderOf(await shop.place());
    await shop.services.starter.drain();
    expect(shop.checkouts.started.map(({ orderId }) => orderId)).toContain(id);
    const row = await shop.db.order.findUniqueOrThrow({ where: { id } });
    expect(row.workflowStartedAt).not.toBeNull();
  });

  test('an order is accepted while Temporal is away', async () => {
    shop.checkouts.reachable = false;
    try {
      const response = await shop.place();
      expect(response.status).toBe(201);
      await shop.services.starter.drain();
      const { id } = await orderOf(response);
      const row = await shop.db.order.findUniqueOrThrow({ where: { id } });
      expect(row.workflowStartedAt).toBeNull();
    } finally {
      shop.checkouts.reachable = true;
    }
  });

  test('the same key again: the same bytes, marked as a replay, and nothing done twice', async () => {
    const [first, key] = [{ lines: [{ sku: 'tee-black-m', quantity: 1 }] }, 'replayed'];
    const one = await shop.place(first, key);
    const two = await shop.place(first, key);
    expect(two.status).toBe(201);
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect(two.headers.get('location')).toBe(one.headers.get('location'));
    expect(two.headers.get('etag')).toBe(one.headers.get('etag'));
    const body = await one.text();
    expect(await two.text()).toBe(body);
    const { id } = JSON.parse(body);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  });

  test('a quoted key is the bare key', async () => {
    const one = await shop.place({}, '"a-key-in-quotes"');
    const two = await shop.place({}, 'a-key-in-quotes');
    expect(await two.text()).toBe(await one.text());
  });

  test('two lines with one SKU are one line', async () => {
    const line = { sku: 'mug-white', quantity: 2 };
    const order = await orderOf(await shop.place({ lines: [line, line] }));
    expect(order).toMatchObject({ lines: [{ sku: 'mug-white', quantity: 4 }], total_minor: 4_800 });
  });

  test('an e-mail address is kept in lower case', async () => {
    const customer = { email: 'Ada@Example.COM', name: 'Ada' };
    const order = await orderOf(await shop.place({ customer }));
    expect(order).toMatchObject({ customer: { email: 'ada@example.com' } });
  });

  test('an answer lost on its way is found by look-up: placed, authorized once', async () => {
    const place = { provider: 'payments', operation: 'authorize' } as const;
    shop.sandbox.faults.set(place, { mode: 'answer_lost', times: 1 });
    const response = await shop.place();
    expect(response.status).toBe(201);
    expect(shop.sandbox.faults.list()[0]?.fired).toBe(1);
    expect(paymentEffects(shop, (await orderOf(response)).id)).toEqual({ authorize: 1 });
  });
});

describe('402', () => {
  test('a declined payment gives the stock back and says why', async () => {
    const before = await held('mug-white');
    const response = await shop.place({
      payment_method: 'pm_card_chargeDeclinedInsufficientFunds',
    });
    expect(await problemOf(response)).toMatchObject({
      code: 'payment_declined',
      decline_code: 'insufficient_funds',
    });
    expect(await held('mug-white')).toBe(before);
  });

  test('the same key again: the same bytes, and the card is not tried again', async () => {
    const declined = { payment_method: 'pm_card_chargeDeclined' };
    const one = await shop.place(declined, 'declined-once');
    const two = await shop.place(declined, 'declined-once');
    expect(two.status).toBe(402);
    expect(two.headers.get('content-type')).toBe('application/problem+json');
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect(await two.text()).toBe(await one.text());
  });
});

describe('409', () => {
  test('units that are gone: what is available, and no invitation to wait', async () => {
    const response = await shop.place({ lines: [{ sku: 'sold-out', quantity: 1 }] });
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await problemOf(response)).toMatchObject({
      code: 'out_of_stock',
      retryable: false,
      lines: [{ sku: 'sold-out', requested: 1, available: 0, cause: 'gone' }],
    });
  });

  test('units that a paying shopper holds: retryable, with Retry-After', async () => {
    await shop.stock('contested', 1);
    const place = { provider: 'payments', operation: 'authorize' } as const;
    shop.sandbox.faults.set(place, { mode: 'fail_before', times: 1 });
    const lines = [{ sku: 'contested', quantity: 1 }];
    expect((await shop.place({ lines })).status).toBe(503);
    const response = await shop.place({ lines });
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await problemOf(response)).toMatchObject({
      code: 'out_of_stock',
      retryable: true,
      lines: [{ sku: 'contested', cause: 'held' }],
    });
  });

  test('one short line: no line is held, and the key is free for another try', async () => {
    const before = await held('mug-white');
    const lines = [
      { sku: 'mug-white', quantity: 1 },
      { sku: 'sold-out', quantity: 1 },
    ];
    expect((await shop.place({ lines }, 'tried-again')).status).toBe(409);
    expect(await held('mug-white')).toBe(before);
    expect((await shop.place({}, 'tried-again')).status).toBe(201);
  });

  test('another total than expected: the total as it is now', async () => {
    const response = await shop.place({ expected_total_minor: 1 });
    expect(await problemOf(response)).toMatchObject({ code: 'price_changed', total_minor: 1_200 });
    expect((await shop.place({ expected_total_minor: 1_200 })).status).toBe(201);
  });
});

describe('422', () => {
  const line = { sku: 'mug-white', quantity: 1 };
  const address = orderBody().shipping_address;
  test.each([
    ['an unknown SKU', { lines: [line, { sku: 'nope', quantity: 1 }] }, '#/lines/1/sku'],
    ['a zero quantity', { lines: [{ ...line, quantity: 0 }] }, '#/lines/0/quantity'],
    ['a fraction of a unit', { lines: [{ ...line, quantity: 1.5 }] }, '#/lines/0/quantity'],
    ['a quantity beyond 1000', { lines: [{ ...line, quantity: 1_001 }] }, '#/lines/0/quantity'],
    [
      'a sum beyond 1000',
      {
        lines: [
          { ...line, quantity: 600 },
          { ...line, quantity: 600 },
        ],
      },
      '#/lines/1/quantity',
    ],
    ['no line', { lines: [] }, '#/lines'],
    ['more than 50 lines', { lines: Array.from({ length: 51 }, () => line) }, '#/lines'],
    ['another currency', { currency: 'USD' }, '#/currency'],
    ['a currency that is none', { currency: 'EUX' }, '#/currency'],
    [
      'a country that is none',
      { shipping_address: { ...address, country: 'ZZ' } },
      '#/shipping_address/country',
    ],
    [
      'a missing city',
      { shipping_address: { ...address, city: undefined } },
      '#/shipping_address/city',
    ],
    ['no e-mail address', { customer: { email: 'ada', name: 'Ada' } }, '#/customer/email'],
    ['a NUL in a name', { customer: { email: 'a@b.co', name: 'A\u0000' } }, '#/customer/name'],
    [
      'half a character in a name',
      { customer: { email: 'a@b.co', name: 'A\ud800' } },
      '#/customer/name',
    ],
    ['an unknown member', { coupon: 'x' }, '#/coupon'],
    ['a member with a slash', { 'a/b': 1 }, '#/a~1b'],
  ])('%s is refused at its place', async (_what, changes, pointer) => {
    const problem = await problemOf(await shop.place(changes));
    expect(problem.status).toBe(422);
    expect(problem.code).toBe('invalid_request');
    expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  test('a total a card cannot pay is refused', async () => {
    await shop.stock('yacht', 5, { price_minor: 99_999_999 });
    expect(
      (await problemOf(await shop.place({ lines: [{ sku: 'yacht', quantity: 2 }] }))).status,
    ).toBe(422);
  });

  test('a key that was used for another request is refused, and its order stands', async () => {
    await shop.place({}, 'used');
    const other = await shop.place({ lines: [{ ...line, quantity: 3 }] }, 'used');
    expect((await problemOf(other)).code).toBe('idempotency_key_reused');
  });

  test("another shop's key with the same name is another key", async () => {
    await shop.place({}, 'shared');
    const asked = {
      role: 'admin',
      key: 'shared',
      body: { ...orderBody(), currency: 'EUR' },
    } as const;
    const other = await shop.ask('POST', '/v1/orders', asked);
    expect(other.status).toBe(201);
    expect(other.headers.get('idempotent-replayed')).toBeNull();
  });
});

describe('400, 413, 415', () => {
  test.each([
    ['no key', undefined],
    ['an empty key', ''],
    ['a key of 256 characters', 'k'.repeat(256)],
  ])('%s', async (_what, key) => {
    const body = orderBody();
    const response = await shop.ask('POST', '/v1/orders', {
      body,
      ...(key === undefined ? {} : { key }),
    });
    expect(await problemOf(response)).toMatchObject({
      status: 400,
      code: 'idempotency_key_required',
    });
  });

  test('a body that is not JSON', async () => {
    const response = await shop.ask('POST', '/v1/orders', { key: 'x', body: '{nope' });
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'malformed_json' });
  });

  test('a body over 64 kB', async () => {
    const response = await shop.ask('POST', '/v1/orders', { key: 'x', body: 'x'.repeat(70_000) });
    expect(await problemOf(response)).toMatchObject({ status: 413, code: 'payload_too_large' });
  });

  test('a body of another kind', async () => {
    const headers = { 'content-type': 'text/plain' };
    const response = await shop.ask('POST', '/v1/orders', { key: 'x', body: 'x', headers });
    expect(await problemOf(response)).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
    });
  });
});
