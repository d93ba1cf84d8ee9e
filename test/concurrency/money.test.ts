import { afterEach, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { placedOrder } from '../support/orders.ts';
import { eventually } from '../support/eventually.ts';
import { expectLedgersMatch } from '../support/expectations.ts';
import { expectInvariants } from '../support/invariants.ts';
import { problemOf } from '../support/responses.ts';
import { useRunningShop } from '../support/use-shop.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { concurrently, withRetry } from './concurrent-shoppers.ts';
import { WITHIN, refundsSettled, settledStatus, untilStatus } from './outcomes.ts';

const CAPTURE = { provider: 'payments', operation: 'capture' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;

const shop = useRunningShop({ takesCallbacks: true });
afterEach(async () => {
  shop.sandbox.faults.clear();
  await expectInvariants(shop.db);
  await expectLedgersMatch(shop);
});

/** Two white mugs, 24 EUR; its workflow is started. */
const place = (): Promise<OrderId> =>
  placedOrder(shop, { lines: [{ sku: 'mug-white', quantity: 2 }] });

const cancel = (id: OrderId): Promise<Response> =>
  withRetry((key) => shop.request('POST', `/v1/orders/${id}/cancel`, { key }));

const refund = (id: OrderId, amount_minor?: number): Promise<Response> =>
  withRetry((key) =>
    shop.request('POST', `/v1/orders/${id}/refunds`, {
      role: 'operator',
      key,
      body: { reason: 'raced', ...(amount_minor !== undefined && { amount_minor }) },
    }),
  );

const paymentOf = (orderId: OrderId) => shop.db.payment.findUniqueOrThrow({ where: { orderId } });

/** All captured money is refunded, in our records and at the provider. */
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

/** A paid order whose shipment cannot be requested yet. */
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
    immediately: async () => {},
    'after the reservation': (id) => untilEvent(id, 'order.reserved'),
    'during the capture': async (id) => {
      await eventually(async () => {
        const where = { orderId: id, kind: 'capture', state: 'requested' } as const;
        expect(await shop.db.paymentOperation.count({ where })).toBe(1);
      }, WITHIN);
    },
    'after the payment': (id) => untilEvent(id, 'order.paid'),
    'after the shipment request': (id) => untilEvent(id, 'order.shipment_requested'),
  };
  const untilEvent = async (orderId: OrderId, type: string): Promise<void> => {
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
        const response = await cancel(id);
        const outcome = await settledStatus(shop, id);
        if (response.status === 202) {
          expect(outcome).toBe('cancelled');
        } else {
          expect((await problemOf(response)).code).toBe('not_cancellable');
          expect(outcome).toBe('shipped');
        }
        if (outcome === 'cancelled') await expectMoneyBack(id);
        else expect(await paymentOf(id)).toMatchObject({ status: 'captured', refundedMinor: 0 });
      });
    },
  );
});

describe('two concurrent cancels', () => {
  test('two concurrent cancels under one key get the same response and cancel the order', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'down' });
    await concurrently(4, async () => {
      const id = await paid();
      const key = crypto.randomUUID();
      const send = (): Promise<string> =>
        eventually(async () => {
          const response = await shop.request('POST', `/v1/orders/${id}/cancel`, { key });
          expect(response.status).toBe(202);
          return response.text();
        }, WITHIN);
      expect(new Set(await Promise.all([send(), send()])).size).toBe(1);
      expect(await settledStatus(shop, id)).toBe('cancelled');
      await expectMoneyBack(id);
    });
  });

  test('two concurrent cancels under two keys get 202 and 409 and cancel the order', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'down' });
    await concurrently(4, async () => {
      const id = await paid();
      const responses = await Promise.all([cancel(id), cancel(id)]);
      expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([202, 409]));
      expect(await settledStatus(shop, id)).toBe('cancelled');
      await expectMoneyBack(id);
    });
  });
});

describe('refunds racing each other', () => {
  test('one of ten concurrent full refunds is accepted and nine are rejected with nothing left to refund', async () => {
    const id = await shipped();
    const responses = await concurrently(10, () => refund(id));
    expect(responses.filter(({ status }) => status === 202)).toHaveLength(1);
    for (const response of responses.filter(({ status }) => status !== 202)) {
      const problem = await problemOf(response);
      expect(problem).toMatchObject({ code: 'refund_exceeds_captured', refundable_minor: 0 });
    }
    await refundsSettled(shop, id);
    expect(refundedAt(id)).toBe(2_400);
    await expectMoneyBack(id);
  });

  test('four of twelve concurrent refunds of 5 EUR out of 24 are accepted and 4 EUR are left', async () => {
    const id = await shipped();
    const responses = await concurrently(12, () => refund(id, 500));
    expect(responses.filter(({ status }) => status === 202)).toHaveLength(4);
    await refundsSettled(shop, id);
    expect(refundedAt(id)).toBe(2_000);
    expect(await paymentOf(id)).toMatchObject({
      status: 'partially_refunded',
      refundedMinor: 2_000,
      refundingMinor: 0,
    });
    const problem = await problemOf(await refund(id, 500));
    expect(problem).toMatchObject({ refundable_minor: 400 });
  });

  test('twenty concurrent refund requests under one key make one refund and get the same response', async () => {
    const id = await shipped();
    const options = { role: 'operator', key: 'one-refund', body: { reason: 'raced' } } as const;
    const bodies = await concurrently(20, () =>
      eventually(async () => {
        const response = await shop.request('POST', `/v1/orders/${id}/refunds`, options);
        expect(response.status).toBe(202);
        return response.text();
      }, WITHIN),
    );
    expect(new Set(bodies).size).toBe(1);
    await refundsSettled(shop, id);
    expect(refundedAt(id)).toBe(2_400);
  });
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
      const { shuffled } = createSeededRandom();
      await concurrently(3, async () => {
        const id = await paid();
        const refunds = amounts.map((amount) => async (): Promise<void> => {
          const response = await refund(id, amount);
          if (response.status === 202) return;
          const { code } = await problemOf(response);
          expect(['not_refundable', 'refund_exceeds_captured']).toContain(code);
        });
        const cancelling = async (): Promise<void> => {
          expect((await cancel(id)).status).toBe(202);
        };
        await Promise.all(shuffled([cancelling, ...refunds]).map((act) => act()));
        expect(await settledStatus(shop, id)).toBe('cancelled');
        await refundsSettled(shop, id);
        await expectMoneyBack(id);
      });
    },
  );

  test('a refund with lost responses moves its amount once, and a later cancel refunds the rest', async () => {
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
  });
});
