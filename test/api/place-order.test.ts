import { describe, expect, test } from 'vitest';
import { isOrderId } from '../../domain/ids.ts';
import { findUnstarted } from '../../prisma/orders/orders.ts';
import { findCheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { orderBody, placeOrder } from '../support/client.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop();

const held = async (sku: string) =>
  (await shop.db.stock.findUniqueOrThrow({ where: { sku } })).held;

describe('POST /v1/orders: 201', () => {
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
    expect(await held('mug-white')).toBe(before + 2);
    expect(paymentEffects(shop, order.id)).toEqual({ authorize: 1 });
  });

  test('an accepted order starts its workflow, and the start is recorded', async () => {
    const { id } = await orderOf(await shop.place());
    await shop.services.starter.drain();
    expect(shop.checkouts.started.map(({ orderId }) => orderId)).toContain(id);
    const row = await shop.db.order.findUniqueOrThrow({ where: { id } });
    expect(row.workflowStartedAt).not.toBeNull();
  });

  test('an order is accepted while Temporal is unavailable', async () => {
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

  test('an accepted order repeated with the same key replays the same response and is authorized once', async () => {
    const [first, key] = [{ lines: [{ sku: 'tee-black-m', quantity: 1 }] }, 'replayed'];
    const one = await shop.place(first, key);
    const two = await shop.place(first, key);
    expect(two.status).toBe(201);
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect(two.headers.get('location')).toBe(one.headers.get('location'));
    const body = await one.text();
    expect(await two.text()).toBe(body);
    const { id } = JSON.parse(body);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  });

  test('an idempotency key in quotes is the same as the key without quotes', async () => {
    const one = await shop.place({}, '"a-key-in-quotes"');
    const two = await shop.place({}, 'a-key-in-quotes');
    expect(await two.text()).toBe(await one.text());
  });

  test('an order that is preferred inspectable is so wherever its workflows are started from, and a repeated key keeps it', async () => {
    const key = 'inspected';
    const headers = { prefer: 'wait=1, Inspectable' };
    const placed = await placeOrder(shop.api, {}, { key, headers });
    expect(placed.headers.get('preference-applied')).toBe('inspectable');
    const { id } = await orderOf(placed);
    if (!isOrderId(id)) throw new Error(id);
    await shop.services.starter.drain();
    const inspectable = { orderId: id, inspectable: true };
    expect(shop.checkouts.started.at(-1)).toMatchObject(inspectable);
    await shop.db.order.update({ where: { id }, data: { workflowStartedAt: null } });
    expect(await findUnstarted(shop.db, [id])).toMatchObject([inspectable]);
    expect((await findCheckoutProgress(shop.db, id))?.start).toMatchObject(inspectable);
    const again = await placeOrder(shop.api, {}, { key });
    expect(await orderOf(again)).toMatchObject({ id });
    expect((await shop.db.order.findUniqueOrThrow({ where: { id } })).inspectable).toBe(true);
  });

  test('an order without the preference is not inspectable, and none is said to be applied', async () => {
    const placed = await placeOrder(shop.api, {}, { headers: { prefer: 'inspectable=no' } });
    expect(placed.headers.get('preference-applied')).toBeNull();
    await shop.services.starter.drain();
    expect(shop.checkouts.started.at(-1)).toMatchObject({ inspectable: false });
  });

  test('two lines with the same SKU are merged into one line', async () => {
    const line = { sku: 'mug-white', quantity: 2 };
    const order = await orderOf(await shop.place({ lines: [line, line] }));
    expect(order).toMatchObject({ lines: [{ sku: 'mug-white', quantity: 4 }], total_minor: 4_800 });
  });

  test('an e-mail address is returned in lower case', async () => {
    const customer = { email: 'Ada@Example.COM', name: 'Ada' };
    const order = await orderOf(await shop.place({ customer }));
    expect(order).toMatchObject({ customer: { email: 'ada@example.com' } });
  });

  test('an order whose authorization response was lost is placed and authorized once', async () => {
    const place = { provider: 'payments', operation: 'authorize' } as const;
    shop.sandbox.faults.set(place, { mode: 'answer_lost', times: 1 });
    const response = await shop.place();
    expect(response.status).toBe(201);
    expect(shop.sandbox.faults.list()[0]?.fired).toBe(1);
    expect(paymentEffects(shop, (await orderOf(response)).id)).toEqual({ authorize: 1 });
  });
});

describe('POST /v1/orders: 402', () => {
  test('a declined payment releases the stock and returns the decline code', async () => {
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

  test('a declined order repeated with the same key replays the same 402 response', async () => {
    const declined = { payment_method: 'pm_card_chargeDeclined' };
    const one = await shop.place(declined, 'declined-once');
    const two = await shop.place(declined, 'declined-once');
    expect(two.status).toBe(402);
    expect(two.headers.get('content-type')).toBe('application/problem+json');
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect(await two.text()).toBe(await one.text());
  });
});

describe('POST /v1/orders: 409', () => {
  test('an order for sold-out units returns the available quantity and is not retryable', async () => {
    const response = await shop.place({ lines: [{ sku: 'sold-out', quantity: 1 }] });
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await problemOf(response)).toMatchObject({
      code: 'out_of_stock',
      retryable: false,
      lines: [{ sku: 'sold-out', requested: 1, available: 0, cause: 'gone' }],
    });
  });

  test('an order for sold-out units is refused without writing or locking a row', async () => {
    await shop.db.$transaction(async (tx) => {
      await tx.$executeRaw`LOCK TABLE idempotency_keys, customers, orders, stock IN EXCLUSIVE MODE`;
      const response = await shop.place({ lines: [{ sku: 'sold-out', quantity: 1 }] });
      expect((await problemOf(response)).code).toBe('out_of_stock');
    });
  });

  test('a request sent six times at once for the last unit is never answered that it is sold out', async () => {
    const skus = times(5, (at) => `last-of-${at}`);
    for (const sku of skus) await shop.stock(sku, 1);
    const responses = await Promise.all(
      skus.flatMap((sku) => times(6, () => shop.place({ lines: [{ sku, quantity: 1 }] }, sku))),
    );
    const problems = responses.filter(({ status }) => status !== 201).map(problemOf);
    const codes = (await Promise.all(problems)).map(({ code }) => code);
    expect(codes.filter((code) => code !== 'request_in_flight')).toEqual([]);
    expect(responses.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(5);
  });

  test('an order for units held by an unpaid order is retryable and returns Retry-After', async () => {
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

  test('an order with one short line holds no stock and leaves its key free', async () => {
    const before = await held('mug-white');
    const lines = [
      { sku: 'mug-white', quantity: 1 },
      { sku: 'sold-out', quantity: 1 },
    ];
    expect((await shop.place({ lines }, 'tried-again')).status).toBe(409);
    expect(await held('mug-white')).toBe(before);
    expect((await shop.place({}, 'tried-again')).status).toBe(201);
  });

  test('an order with a wrong expected total is refused as price_changed with the current total', async () => {
    const response = await shop.place({ expected_total_minor: 1 });
    expect(await problemOf(response)).toMatchObject({ code: 'price_changed', total_minor: 1_200 });
    expect((await shop.place({ expected_total_minor: 1_200 })).status).toBe(201);
  });
});

describe('POST /v1/orders: 422', () => {
  const line = { sku: 'mug-white', quantity: 1 };
  const address = orderBody().shipping_address;
  test.each([
    ['an unknown SKU', { lines: [line, { sku: 'nope', quantity: 1 }] }, '#/lines/1/sku'],
    ['a zero quantity', { lines: [{ ...line, quantity: 0 }] }, '#/lines/0/quantity'],
    ['a fraction of a unit', { lines: [{ ...line, quantity: 1.5 }] }, '#/lines/0/quantity'],
    ['a quantity beyond 1000', { lines: [{ ...line, quantity: 1_001 }] }, '#/lines/0/quantity'],
    [
      'a total quantity of one SKU beyond 1000',
      {
        lines: [
          { ...line, quantity: 600 },
          { ...line, quantity: 600 },
        ],
      },
      '#/lines/1/quantity',
    ],
    ['no lines', { lines: [] }, '#/lines'],
    ['more than 50 lines', { lines: times(51, () => line) }, '#/lines'],
    ['a currency without a price', { currency: 'GBP' }, '#/lines/0/sku'],
    ['an unknown currency', { currency: 'EUX' }, '#/currency'],
    [
      'an unknown country',
      { shipping_address: { ...address, country: 'ZZ' } },
      '#/shipping_address/country',
    ],
    [
      'a missing city',
      { shipping_address: { ...address, city: undefined } },
      '#/shipping_address/city',
    ],
    ['an invalid e-mail address', { customer: { email: 'ada', name: 'Ada' } }, '#/customer/email'],
    ['a NUL in a name', { customer: { email: 'a@b.co', name: 'A\u0000' } }, '#/customer/name'],
    [
      'a lone surrogate in a name',
      { customer: { email: 'a@b.co', name: 'A\ud800' } },
      '#/customer/name',
    ],
    ['an unknown field', { coupon: 'x' }, '#/coupon'],
    ['an unknown field with a slash', { 'a/b': 1 }, '#/a~1b'],
  ])('an order with %s returns 422 and points to the field', async (_what, changes, pointer) => {
    const problem = await problemOf(await shop.place(changes));
    expect(problem.status).toBe(422);
    expect(problem.code).toBe('invalid_request');
    expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  test('an order whose total exceeds what a card can pay returns 422', async () => {
    await shop.stock('yacht', 5, { price_minor: 99_999_999 });
    expect(
      (await problemOf(await shop.place({ lines: [{ sku: 'yacht', quantity: 2 }] }))).status,
    ).toBe(422);
  });

  test('an idempotency key that was used for another request is refused', async () => {
    await shop.place({}, 'used');
    const other = await shop.place({ lines: [{ ...line, quantity: 3 }] }, 'used');
    expect((await problemOf(other)).code).toBe('idempotency_key_reused');
  });

  test('the same idempotency key from another API client places a new order', async () => {
    await shop.place({}, 'shared');
    const request = {
      role: 'admin',
      key: 'shared',
      body: { ...orderBody(), currency: 'EUR' },
    } as const;
    const other = await shop.request('POST', '/v1/orders', request);
    expect(other.status).toBe(201);
    expect(other.headers.get('idempotent-replayed')).toBeNull();
  });
});

describe('POST /v1/orders: 400, 413, 415', () => {
  test.each([
    ['no key', undefined],
    ['an empty key', ''],
    ['a key of 256 characters', 'k'.repeat(256)],
  ])('an order with %s returns 400 idempotency_key_required', async (_what, key) => {
    const body = orderBody();
    const response = await shop.request('POST', '/v1/orders', {
      body,
      ...(key === undefined ? {} : { key }),
    });
    expect(await problemOf(response)).toMatchObject({
      status: 400,
      code: 'idempotency_key_required',
    });
  });

  test('an order with a body that is not JSON returns 400', async () => {
    const response = await shop.request('POST', '/v1/orders', { key: 'x', body: '{nope' });
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'malformed_json' });
  });

  test('an order with a body over 64 kB returns 413', async () => {
    const response = await shop.request('POST', '/v1/orders', {
      key: 'x',
      body: 'x'.repeat(70_000),
    });
    expect(await problemOf(response)).toMatchObject({ status: 413, code: 'payload_too_large' });
  });

  test('an order with a body that is not declared as JSON returns 415', async () => {
    const headers = { 'content-type': 'text/plain' };
    const response = await shop.request('POST', '/v1/orders', { key: 'x', body: 'x', headers });
    expect(await problemOf(response)).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
    });
  });
});
