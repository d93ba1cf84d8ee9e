import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, vi } from 'vitest';
import { createApp } from '../../api/app.ts';
import { runRecovery } from '../../services/recovery.ts';
import { PAYMENT_LIMITS } from '../../gateways/resilience/limits.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { isOrderId } from '../../domain/ids.ts';
import { apiOf, placeOrder } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { eventTypesOf } from '../support/expectations.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { openShop, paymentEffects, type Shop } from '../support/shop.ts';
import { cell } from './matrix-case.ts';

const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
const FIND = { provider: 'payments', operation: 'lookup' } as const;
/** Long enough to get to the provider on a busy machine. */
const DEADLINE_MS = 1_500;
const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100, eventsKeptDays: 90 };

let shop: Shop;
beforeAll(async () => {
  shop = await openShop({ deadlines: { callMs: DEADLINE_MS } });
  // Keys and products are remembered, connections open, from here on: faults hit the order.
  await shop.place();
});
afterEach(() => shop.sandbox.faults.clear());
afterAll(() => shop.close());

const held = async () =>
  (await shop.db.stock.findUniqueOrThrow({ where: { sku: 'mug-white' } })).held;

async function orderOfKey(key: string): Promise<string> {
  const { orderId } = await shop.db.idempotencyKey.findFirstOrThrow({ where: { key } });
  return orderId ?? '';
}

async function expectUnavailable(answer: Response): Promise<void> {
  expect(await problemOf(answer)).toMatchObject({ status: 503, code: 'payment_unavailable' });
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
}

/** The retry that is told to come back until it is settled: placed, authorized once. */
async function expectPlacedOnce(key: string): Promise<string> {
  const answer = await eventually(
    async () => {
      const tried = await shop.place({}, key);
      expect(tried.status).toBe(201);
      return tried;
    },
    { everyMs: 100, timeoutMs: 60_000 },
  );
  const { id } = await orderOf(answer);
  expect(paymentEffects(shop, id)).toEqual({ authorize: 1 });
  if (!isOrderId(id)) throw new Error(id);
  expect(await eventTypesOf(shop, id)).toEqual(['order.created', 'order.placed']);
  return id;
}

/** Lets the order's deadline pass and sees it expired: its hold gone, and what money it held. */
async function expectVoided(id: string, effects: object): Promise<void> {
  const past = new Date(Date.now() - 600_000);
  await shop.db.order.update({ where: { id }, data: { createdAt: past, deadlineAt: past } });
  await eventually(async () => {
    await runRecovery(shop.services, NOW);
    expect((await shop.db.order.findUniqueOrThrow({ where: { id } })).status).toBe('expired');
  });
  expect(paymentEffects(shop, id)).toEqual(effects);
}

describe('authorizing the payment', () => {
  for (const mode of ['fail_before', 'down'] as const) {
    cell(
      'S2/F1',
      `an order under ${mode} at authorize gets 503, and its retry is placed and authorized once`,
      async (proof) => {
        shop.sandbox.faults.set(AUTHORIZE, { mode, times: 1 });
        await expectUnavailable(await shop.place({}, mode));
        proof.firedAll(shop.sandbox.faults);
        const id = await orderOfKey(mode);
        expect(paymentEffects(shop, id)).toEqual({});
        expect(await expectPlacedOnce(mode)).toBe(id);
      },
    );
  }

  cell(
    'S2/F2',
    'an order whose authorize response is lost is placed at once and authorized once',
    async (proof) => {
      shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
      const answer = await shop.place({}, 'lost');
      expect(answer.status).toBe(201);
      proof.firedAll(shop.sandbox.faults);
      await expectPlacedOnce('lost');
    },
  );

  const voided =
    'an abandoned order with an unknown authorization expires, voided and with its hold released';
  cell(['S2/F2', 'S2/F3'], voided, async (proof) => {
    const before = await held();
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    shop.sandbox.faults.set(FIND, { mode: 'hang', times: 1 });
    await expectUnavailable(await shop.place({}, 'abandoned'));
    proof.firedAll(shop.sandbox.faults);
    await expectVoided(await orderOfKey('abandoned'), { authorize: 1, void: 1 });
    expect(await held()).toBe(before);
  });

  cell(
    'S2/F3',
    'an order with a hanging authorization gets 503, and its retry is placed and authorized once',
    async (proof) => {
      shop.sandbox.faults.set(AUTHORIZE, { mode: 'hang' });
      await expectUnavailable(await shop.place({}, 'hanging'));
      proof.firedAll(shop.sandbox.faults);
      shop.sandbox.faults.clear();
      await expectPlacedOnce('hanging');
    },
  );

  cell(
    'S2/F3',
    'an order with a late authorization gets 503, and its retry is placed and authorized once',
    async (proof) => {
      shop.sandbox.faults.set(AUTHORIZE, { mode: 'latency', latency_ms: 2 * DEADLINE_MS });
      await expectUnavailable(await shop.place({}, 'late'));
      proof.firedAll(shop.sandbox.faults);
      shop.sandbox.faults.clear();
      await expectPlacedOnce('late');
    },
  );

  cell(
    'S2/F4',
    'an order retried concurrently under one key is placed and authorized once',
    async (proof) => {
      shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 3 });
      shop.sandbox.faults.set(FIND, { mode: 'down', times: 3 });
      const tries = () => Array.from({ length: 5 }, () => shop.place({}, 'many'));
      for (const _ of [1, 2, 3]) {
        for (const { status } of await Promise.all(tries()))
          expect([201, 409, 503]).toContain(status);
      }
      proof.firedAll(shop.sandbox.faults);
      await expectPlacedOnce('many');
    },
  );

  cell(
    'S2/F6',
    'an unavailable payment provider opens a circuit, and orders are placed once it is back',
    async (proof) => {
      const before = await held();
      const payments = createStripePayments({ apiKey: 'sk_test_shop', apiUrl: shop.sandbox.url });
      const api = apiOf(createApp({ ...shop.services, payments }));
      for (const operation of ['authorize', 'lookup'] as const) {
        shop.sandbox.faults.set({ provider: 'payments', operation }, { mode: 'down' });
      }
      for (let at = 0; at < 12; at += 1) {
        await expectUnavailable(await placeOrder(api, {}, { key: `away-${at}` }));
      }
      proof.firedAll(shop.sandbox.faults);
      expect(payments.breakers().map(({ state }) => state)).not.toEqual(
        payments.breakers().map(() => 'closed'),
      );
      const asked = shop.sandbox.faults.list().find(({ operation }) => operation === 'authorize');
      expect(asked?.fired, 'an open breaker asks nobody').toBeLessThan(12);
      shop.sandbox.faults.clear();
      letBreakersProbe();
      await eventually(async () => {
        expect((await placeOrder(api, {}, { key: 'away-last' })).status).toBe(201);
      });
      const waiting = await shop.db.order.findMany({ where: { status: 'pending' } });
      for (const { id } of waiting) await expectVoided(id, {});
      expect(await held()).toBe(before + 1);
    },
  );
});

/** By the clock of this process it is a minute later, until the test ends. */
function letBreakersProbe(): void {
  const now = Date.now() + PAYMENT_LIMITS.authorize.halfOpenAfterMs;
  vi.useFakeTimers({ toFake: ['Date'], now });
  onTestFinished(() => void vi.useRealTimers());
}
