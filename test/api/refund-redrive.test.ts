import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Refund } from '../../domain/refund.ts';
import { recordNotice } from '../../prisma/fulfilment.ts';
import { recordRefundNeedsAttention } from '../../prisma/refund-outcomes.ts';
import {
  openRunningShop,
  PATIENCE,
  refundsSettled,
  restOf,
  type RunningShop,
} from '../concurrency/running-shop.ts';
import { eventually } from '../support/eventually.ts';
import { acceptRefund } from '../support/refunding.ts';
import { listOf, problemOf } from './bodies.ts';
import { paidOrder, placedOrder } from './paid-order.ts';
import { createShop, paymentEffects, type Shop } from './shop.ts';

const FAILURE = 'refund: outcome unknown (deadline)';

const openLetter = async (shop: Shop, orderId: OrderId): Promise<string> => {
  const path = `/v1/dead-letters?status=open&order_id=${orderId}`;
  const { data } = await listOf(await shop.ask('GET', path, { role: 'operator' }));
  return String(data[0]?.['id']);
};
const redrive = (shop: Shop, id: string, body: object = {}): Promise<Response> =>
  shop.ask('POST', `/v1/dead-letters/${id}/redrive`, { role: 'operator', body });

describe('a dead letter of a refund', () => {
  let shop: Shop;
  let refund: Refund;
  beforeAll(async () => {
    shop = await createShop();
  });
  beforeEach(async () => {
    shop.checkouts.reachable = true;
    shop.refunds.retried.length = 0;
    refund = await acceptRefund(shop.db, await paidOrder(shop), 500);
    await recordRefundNeedsAttention(shop.db, refund, FAILURE);
  });
  afterAll(() => shop.close());

  test('a redriven refund is retried by its workflow, and a skip of a refund is refused', async () => {
    const id = await openLetter(shop, refund.orderId);
    const skipped = await redrive(shop, id, { action: 'skip', note: 'paid in cash' });
    expect((await problemOf(skipped)).code).toBe('invalid_request');
    const response = await redrive(shop, id);
    expect(await response.json()).toMatchObject({
      source: 'refund',
      subject: refund.id,
      status: 'redriven',
    });
    expect(shop.refunds.retried).toMatchObject([{ refundId: refund.id, amountMinor: 500 }]);
  });

  test('a refund redrive while Temporal is unavailable returns 503, and the dead letter stays open', async () => {
    const id = await openLetter(shop, refund.orderId);
    shop.checkouts.reachable = false;
    expect((await redrive(shop, id)).status).toBe(503);
    expect(await openLetter(shop, refund.orderId)).toBe(id);
  });

  test('a redrive of a settled refund returns 409 and retries nothing', async () => {
    const id = await openLetter(shop, refund.orderId);
    const data = { status: 'succeeded', settledAt: new Date() };
    await shop.db.refund.update({ where: { id: refund.id }, data });
    expect((await redrive(shop, id)).status).toBe(409);
    expect(shop.refunds.retried).toEqual([]);
  });

  test('dead letters of different refunds with the same cause have one fingerprint', async () => {
    const other = await acceptRefund(shop.db, await paidOrder(shop));
    await recordRefundNeedsAttention(shop.db, other, FAILURE);
    const letters = await shop.db.deadLetter.findMany({ where: { source: 'refund' } });
    expect(new Set(letters.map(({ fingerprint }) => fingerprint)).size).toBe(1);
  });

  test('a redrive of a refund mail starts the same notification', async () => {
    const { id, orderId } = await acceptRefund(shop.db, await paidOrder(shop));
    const notice = `refunded/${id}` as const;
    await recordNotice(shop.db, orderId, { notice, failure: 'mail: refused' });
    expect((await redrive(shop, await openLetter(shop, orderId))).status).toBeLessThan(300);
    expect(shop.deliveries.notices).toEqual([{ orderId, notice }]);
  });
});

describe('a refund on a Temporal server', () => {
  let shop: RunningShop;
  beforeAll(async () => {
    shop = await openRunningShop();
  });
  afterAll(() => shop.close());

  test('a refund whose workflow was terminated is resumed by a redrive and refunded once', async () => {
    const orderId = await placedOrder(shop);
    expect(await restOf(shop, orderId)).toBe('shipped');
    const place = { provider: 'payments', operation: 'refund' } as const;
    shop.sandbox.faults.set(place, { mode: 'down' });
    const refund = await acceptRefund(shop.db, orderId);
    const { id: refundId, amountMinor, currency } = refund;
    const start = {
      refundId,
      orderId,
      amountMinor,
      currency,
      correlationId: 'test',
      traceparent: null,
    };
    const { refunds } = shop.services;
    expect(await refunds.start(start)).toEqual({ kind: 'started' });
    expect(await refunds.start(start)).toEqual({ kind: 'already_started' });
    await eventually(() => expect(shop.sandbox.faults.list()[0]?.fired).not.toBe(0), PATIENCE);
    await shop.endRefund(refundId);
    await recordRefundNeedsAttention(shop.db, refund, FAILURE);
    shop.sandbox.faults.clear();
    expect((await redrive(shop, await openLetter(shop, orderId))).status).toBeLessThan(300);
    await refundsSettled(shop, orderId);
    expect(paymentEffects(shop, orderId)['refund']).toBe(1);
    const letter = await shop.db.deadLetter.findFirstOrThrow({ where: { orderId } });
    expect(letter.status).toBe('resolved');
  }, 300_000);
});
