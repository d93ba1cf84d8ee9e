import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { placedOrder } from '../support/orders.ts';
import { expectLedgersMatch } from '../faults/records.ts';
import { eventually } from '../support/eventually.ts';
import { expectInvariants } from '../support/invariants.ts';
import { problemOf } from '../support/responses.ts';
import type { RunningShop } from '../support/running-shop.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { withRetry, shuffled, concurrently } from './concurrent-shoppers.ts';
import { WITHIN, refundsSettled, settledStatus, untilStatus } from './outcomes.ts';

const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const TIMEOUT_MS = 400_000;

const suite = useRunningShop({ takesCallbacks: true });
let shop: RunningShop;
beforeAll(() => {
  ({ shop } = suite);
});
afterEach(async () => {
  shop.sandbox.faults.clear();
  await expectInvariants(shop.db);
  await expectLedgersMatch(shop);
});

/** Two white mugs, 24 EUR; its workflow is started. */
const place = (): Promise<OrderId> =>
  placedOrder(shop, { lines: [{ sku: 'mug-white', quantity: 2 }] });

const cancel = (id: OrderId): Promise<Response> =>
  withRetry((key) => shop.ask('POST', `/v1/orders/${id}/cancel`, { key }));

const refund = (id: OrderId, amount_minor?: number): Promise<Response> =>
  withRetry((key) =>
    shop.ask('POST', `/v1/orders/${id}/refunds`, {
      role: 'operator',
      key,
      body: { reason: 'raced', ...(amount_minor !== undefined && { amount_minor }) },
    }),
  );

const paymentOf = (orderId: OrderId) => shop.db.payment.findUniqueOrThrow({ where: { orderId } });

/** Everything that was taken is back, in our books and in the provider's. */
async function expectMoneyBack(id: OrderId): Promise<void> {
  const { status, capturedMinor, refundedMinor, refundingMinor } = await paymentOf(id);
  expect([refundedMinor, refundingMinor]).toEqual([capturedMinor, 0]);
  expect(['voided', 'refunded']).toContain(status);
  expect(refundedAt(id)).toBe(capturedMinor);
}

function refundedAt(id: OrderId): number {
  return shop.sandbox.ledgers.payments
    .effects()
    .filter(({ order_id, operation }) => order_id === id && operation === 'refund')
    .reduce((sum, { amount_minor = 0 }) => sum + amount_minor, 0);
}

/** A paid order whose parcel cannot be asked for yet. */
async function paid(): Promise<OrderId> {
  const id = await place();
  await untilStatus(shop, id, 'paid');
  return id;
}

async function shipped(): Promise<OrderId> {
  const id = await place();
  expect(await settledStatus(shop, id)).toBe('shipped');
  return id;
}

describe('a cancel racing the capture', () => {
  /** When the cancel is sent. */
  const MOMENTS: Readonly<Record<string, (id: OrderId) => Promise<void>>> = {
    'at once': async () => {},
    'when reserved': (id) => told(id, 'order.reserved'),
    'while the provider is asked for the money': async (id) => {
      await eventually(async () => {
        const where = { orderId: id, kind: 'capture', state: 'requested' } as const;
        expect(await shop.db.paymentOperation.count({ where })).toBe(1);
      }, WITHIN);
    },
    'when paid': (id) => told(id, 'order.paid'),
    'when shipping was asked for': (id) => told(id, 'order.shipment_requested'),
  };
  const told = async (orderId: OrderId, type: string): Promise<void> => {
    await eventually(async () => {
      expect(await shop.db.event.count({ where: { orderId, type } })).toBe(1);
    }, WITHIN);
  };

  test.each(Object.keys(MOMENTS))(
    'a cancel sent %s ends the order as its response says, shipped or cancelled with the money back',
    async (moment) => {
      shop.sandbox.faults.set(CAPTURE, { mode: 'latency', latency_ms: 50 });
      await concurrently(4, async () => {
        const id = await place();
        await MOMENTS[moment]?.(id);
        const answer = await cancel(id);
        const rest = await settledStatus(shop, id);
        if (answer.status === 202) {
          expect(rest).toBe('cancelled');
        } else {
          expect((await problemOf(answer)).code).toBe('not_cancellable');
          expect(rest).toBe('shipped');
        }
        if (rest === 'cancelled') await expectMoneyBack(id);
        else expect(await paymentOf(id)).toMatchObject({ status: 'captured', refundedMinor: 0 });
      });
    },
    TIMEOUT_MS,
  );
});

describe('two cancels at once', () => {
  test(
    'two concurrent cancels under one key get the same response and undo the order',
    async () => {
      shop.sandbox.faults.set(SHIP, { mode: 'down' });
      await concurrently(4, async () => {
        const id = await paid();
        const key = crypto.randomUUID();
        const ask = (): Promise<string> =>
          eventually(async () => {
            const answer = await shop.ask('POST', `/v1/orders/${id}/cancel`, { key });
            expect(answer.status).toBe(202);
            return answer.text();
          }, WITHIN);
        expect(new Set(await Promise.all([ask(), ask()])).size).toBe(1);
        expect(await settledStatus(shop, id)).toBe('cancelled');
        await expectMoneyBack(id);
      });
    },
    TIMEOUT_MS,
  );

  test(
    'two concurrent cancels under two keys get 202 and 409 and undo the order',
    async () => {
      shop.sandbox.faults.set(SHIP, { mode: 'down' });
      await concurrently(4, async () => {
        const id = await paid();
        const answers = await Promise.all([cancel(id), cancel(id)]);
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 409]));
        expect(await settledStatus(shop, id)).toBe('cancelled');
        await expectMoneyBack(id);
      });
    },
    TIMEOUT_MS,
  );
});

describe('refunds racing each other', () => {
  test(
    'one of ten concurrent full refunds is accepted and nine are rejected with nothing left to refund',
    async () => {
      const id = await shipped();
      const answers = await concurrently(10, () => refund(id));
      expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
      for (const answer of answers.filter(({ status }) => status !== 202)) {
        const problem = await problemOf(answer);
        expect(problem).toMatchObject({ code: 'refund_exceeds_captured', refundable_minor: 0 });
      }
      await refundsSettled(shop, id);
      expect(refundedAt(id)).toBe(2_400);
      await expectMoneyBack(id);
    },
    TIMEOUT_MS,
  );

  test(
    'four of twelve concurrent refunds of 5 EUR out of 24 are accepted and 4 EUR are left',
    async () => {
      const id = await shipped();
      const answers = await concurrently(12, () => refund(id, 500));
      expect(answers.filter(({ status }) => status === 202)).toHaveLength(4);
      await refundsSettled(shop, id);
      expect(refundedAt(id)).toBe(2_000);
      expect(await paymentOf(id)).toMatchObject({
        status: 'partially_refunded',
        refundedMinor: 2_000,
        refundingMinor: 0,
      });
      const problem = await problemOf(await refund(id, 500));
      expect(problem).toMatchObject({ refundable_minor: 400 });
    },
    TIMEOUT_MS,
  );

  test(
    'twenty concurrent refund requests under one key make one refund and get the same response',
    async () => {
      const id = await shipped();
      const asked = { role: 'operator', key: 'one-refund', body: { reason: 'raced' } } as const;
      const bodies = await concurrently(20, () =>
        eventually(async () => {
          const answer = await shop.ask('POST', `/v1/orders/${id}/refunds`, asked);
          expect(answer.status).toBe(202);
          return answer.text();
        }, WITHIN),
      );
      expect(new Set(bodies).size).toBe(1);
      await refundsSettled(shop, id);
      expect(refundedAt(id)).toBe(2_400);
    },
    TIMEOUT_MS,
  );
});

describe('a cancel racing refunds of a paid order', () => {
  test.each([
    ['the full amount', [undefined]],
    ['one part', [900]],
    ['three parts', [700, 700, 700]],
  ])(
    'a cancel racing refunds of %s ends cancelled with exactly the captured amount refunded',
    async (_, amounts) => {
      shop.sandbox.faults.set(SHIP, { mode: 'down' });
      const { seed, shuffle } = shuffled();
      await concurrently(3, async () => {
        const id = await paid();
        const refunds = amounts.map((amount) => async (): Promise<void> => {
          const answer = await refund(id, amount);
          if (answer.status === 202) return;
          const { code } = await problemOf(answer);
          expect(['not_refundable', 'refund_exceeds_captured'], seed).toContain(code);
        });
        const cancelling = async (): Promise<void> => {
          expect((await cancel(id)).status, seed).toBe(202);
        };
        await Promise.all(shuffle([cancelling, ...refunds]).map((act) => act()));
        expect(await settledStatus(shop, id), seed).toBe('cancelled');
        await refundsSettled(shop, id);
        await expectMoneyBack(id);
      });
    },
    TIMEOUT_MS,
  );

  test(
    'a refund with lost responses moves its amount once, and a later cancel refunds the rest',
    async () => {
      shop.sandbox.faults.set(SHIP, { mode: 'down' });
      const id = await paid();
      const place = { provider: 'payments', operation: 'refund' } as const;
      shop.sandbox.faults.set(place, { mode: 'answer_lost', times: 3 });
      expect((await refund(id, 900)).status).toBe(202);
      expect((await cancel(id)).status).toBe(202);
      expect(await settledStatus(shop, id)).toBe('cancelled');
      await refundsSettled(shop, id);
      await expectMoneyBack(id);
      const refunds = await shop.db.refund.findMany({ where: { orderId: id } });
      expect(new Set(refunds.map(({ amountMinor }) => amountMinor))).toEqual(new Set([900, 1_500]));
    },
    TIMEOUT_MS,
  );
});
