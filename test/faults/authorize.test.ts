import { beforeAll, describe, expect, onTestFinished, vi } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { createApp } from '../../api/app.ts';
import { PAYMENT_LIMITS } from '../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { apiOf, placeOrder } from '../support/client.ts';
import { heldMugs, passDeadline } from '../support/orders.ts';
import { eventually } from '../support/eventually.ts';
import { problemOf } from '../support/responses.ts';
import { useShop, paymentEffects } from '../support/shop.ts';
import { test } from './matrix-case.ts';
import { expectExpired, expectPlacedOnce, orderIdIn, retryUntilPlaced } from './settling.ts';
import { times } from '../support/times.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
const FIND = { provider: 'payments', operation: 'lookup' } as const;
/** Long enough to get to the provider on a busy machine. */
const DEADLINE_MS = 1_500;

const shop = useShop({ deadlines: { callMs: DEADLINE_MS } });
beforeAll(async () => {
  // Keys and products are cached, connections open: from now on faults hit the order.
  await shop.place();
});

async function orderOfKey(key: string): Promise<string> {
  const { orderId } = await shop.db.idempotencyKey.findFirstOrThrow({
    where: { key: storedKey(key) },
  });
  return orderId ?? '';
}

async function expectUnavailable(response: Response): Promise<void> {
  expect(await problemOf(response)).toMatchObject({ status: 503, code: 'payment_unavailable' });
  expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
}

/** The order's retries are placed and authorized once. Gives the order. */
async function expectRetryPlaces(key: string): Promise<string> {
  const id = await orderIdIn(await retryUntilPlaced(() => shop.place({}, key)));
  await expectPlacedOnce(shop, id);
  return id;
}

/** Lets the order's deadline pass and sees it expired, with these effects at the provider. */
async function expectVoided(id: string, effects: Readonly<Record<string, number>>): Promise<void> {
  await passDeadline(shop.db, id);
  await expectExpired(shop, id, effects);
}

describe('authorizing the payment', () => {
  for (const mode of ['fail_before', 'down'] as const) {
    test(`[S2/F1] an order under ${mode} at authorize gets 503, and its retry is placed and authorized once`, async (proof) => {
      shop.sandbox.faults.set(AUTHORIZE, { mode, times: 1 });
      await expectUnavailable(await shop.place({}, mode));
      proof.firedAll(shop.sandbox.faults);
      const id = await orderOfKey(mode);
      expect(paymentEffects(shop, id)).toEqual({});
      expect(await expectRetryPlaces(mode)).toBe(id);
    });
  }

  test('[S2/F2] an order whose authorize response is lost is placed at once and authorized once', async (proof) => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    const response = await shop.place({}, 'lost');
    expect(response.status).toBe(201);
    proof.firedAll(shop.sandbox.faults);
    await expectRetryPlaces('lost');
  });

  test('[S2/F2] [S2/F3] an abandoned order with an unknown authorization expires, voided and with its hold released', async (proof) => {
    const before = await heldMugs(shop.db);
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    shop.sandbox.faults.set(FIND, { mode: 'hang', times: 1 });
    await expectUnavailable(await shop.place({}, 'abandoned'));
    proof.firedAll(shop.sandbox.faults);
    await expectVoided(await orderOfKey('abandoned'), { authorize: 1, void: 1 });
    expect(await heldMugs(shop.db)).toBe(before);
  });

  test('[S2/F3] an order with a hanging authorization gets 503, and its retry is placed and authorized once', async (proof) => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'hang' });
    await expectUnavailable(await shop.place({}, 'hanging'));
    proof.firedAll(shop.sandbox.faults);
    shop.sandbox.faults.clear();
    await expectRetryPlaces('hanging');
  });

  test('[S2/F3] an order with a late authorization gets 503, and its retry is placed and authorized once', async (proof) => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'latency', latency_ms: 2 * DEADLINE_MS });
    await expectUnavailable(await shop.place({}, 'late'));
    proof.firedAll(shop.sandbox.faults);
    shop.sandbox.faults.clear();
    await expectRetryPlaces('late');
  });

  test('[S2/F4] an order retried concurrently under one key is placed and authorized once', async (proof) => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 3 });
    shop.sandbox.faults.set(FIND, { mode: 'down', times: 3 });
    const tries = () => times(5, () => shop.place({}, 'many'));
    for (const _ of [1, 2, 3]) {
      for (const { status } of await Promise.all(tries()))
        expect([201, 409, 503]).toContain(status);
    }
    proof.firedAll(shop.sandbox.faults);
    await expectRetryPlaces('many');
  });

  test('[S2/F6] an unavailable payment provider opens a circuit, and orders are placed once it is back', async (proof) => {
    const before = await heldMugs(shop.db);
    const payments = createStripePayments({ apiKey: 'sk_test_shop', apiUrl: shop.sandbox.url });
    const api = apiOf(createApp({ ...shop.services, payments }));
    for (const operation of ['authorize', 'lookup'] as const) {
      shop.sandbox.faults.set({ provider: 'payments', operation }, { mode: 'down' });
    }
    for (let count = 0; count < 12; count += 1) {
      await expectUnavailable(await placeOrder(api, {}, { key: `away-${count}` }));
    }
    proof.firedAll(shop.sandbox.faults);
    expect(payments.breakers().map(({ state }) => state)).not.toEqual(
      payments.breakers().map(() => 'closed'),
    );
    const calls = shop.sandbox.faults.list().find(({ operation }) => operation === 'authorize');
    expect(calls?.fired, 'an open circuit calls no provider').toBeLessThan(12);
    shop.sandbox.faults.clear();
    advanceToProbe();
    await eventually(async () => {
      expect((await placeOrder(api, {}, { key: 'away-last' })).status).toBe(201);
    });
    const pending = await shop.db.order.findMany({ where: { status: 'pending' } });
    for (const { id } of pending) await expectVoided(id, {});
    expect(await heldMugs(shop.db)).toBe(before + 1);
  });
});

/** Moves the clock of this process to the next probe of an open circuit, until the test ends. */
function advanceToProbe(): void {
  const now = Date.now() + PAYMENT_LIMITS.authorize.halfOpenAfterMs;
  vi.useFakeTimers({ toFake: ['Date'], now });
  onTestFinished(() => void vi.useRealTimers());
}
