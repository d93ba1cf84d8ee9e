import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { orderOf, problemOf } from './bodies.ts';
import { createShop, paymentEffects, type Shop } from './shop.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
const FIND = { provider: 'payments', operation: 'lookup' } as const;

let shop: Shop;
beforeAll(async () => {
  shop = await createShop({ authorizeDeadlineMs: 3_000 });
});
beforeEach(() => shop.sandbox.faults.clear());
afterAll(() => shop.close());

const heldMugs = async () =>
  (await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } })).held;
const mugs = { lines: [{ sku: 'mug-white', quantity: 1 }] };

describe('an unresponsive payment provider', () => {
  test('an order returns 503 with Retry-After while the payment provider hangs, and its retry authorizes it once', async () => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'hang', times: 1 });
    const waiting = await shop.place(mugs, 'hanging');
    expect(waiting.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await problemOf(waiting)).toMatchObject({
      status: 503,
      code: 'payment_unavailable',
      retryable: true,
    });
    const response = await shop.place(mugs, 'hanging');
    expect(response.status).toBe(201);
    const { id } = await orderOf(response);
    expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
    expect(await shop.db.order.count({ where: { id } })).toBe(1);
  });

  test('an order with an unknown authorization outcome returns 503, and its retry places it authorized once', async () => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    shop.sandbox.faults.set(FIND, { mode: 'down', times: 1 });
    expect((await shop.place(mugs, 'nobody-knows')).status).toBe(503);
    const response = await shop.place(mugs, 'nobody-knows');
    expect(response.status).toBe(201);
    expect(paymentEffects(shop, (await orderOf(response)).id)).toEqual({ authorize: 1 });
  });

  test('a decline whose response was lost is returned as payment_declined and releases the stock', async () => {
    const held = await heldMugs();
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    const declined = { ...mugs, payment_method: 'pm_card_chargeDeclined' };
    expect((await problemOf(await shop.place(declined))).code).toBe('payment_declined');
    expect(await heldMugs()).toBe(held);
  });
});
