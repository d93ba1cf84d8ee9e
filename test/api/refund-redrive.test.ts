import { beforeEach, describe, expect, test } from 'vitest';
import { refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import type { Refund } from '../../domain/refund.ts';
import { recordNotification } from '../../prisma/orders/record-steps.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { recordRefundNeedsAttention } from '../../prisma/payments/refund-attention.ts';
import { findRefund, findRefundStart } from '../../prisma/payments/refunds.ts';
import { eventually } from '../support/eventually.ts';
import { acceptRefund } from '../support/refunding.ts';
import { listOf, problemOf } from '../support/responses.ts';
import { paidOrder } from '../support/orders.ts';
import { useShop, paymentEffects, type Shop } from '../support/shop.ts';
import { useRunningShop } from '../support/use-shop.ts';

const FAILURE = 'refund: outcome unknown (deadline)';

const openDeadLetter = async (shop: Shop, orderId: OrderId): Promise<string> => {
  const path = `/v1/dead-letters?status=open&order_id=${orderId}`;
  const { data } = await listOf(await shop.request('GET', path, { role: 'operator' }));
  return String(data[0]?.['id']);
};
const redrive = (shop: Shop, id: string, body: object = {}): Promise<Response> =>
  shop.request('POST', `/v1/dead-letters/${id}/redrive`, { role: 'operator', body });

describe('a dead letter of a refund', () => {
  const shop = useShop();
  let refund: Refund;
  beforeEach(async () => {
    refund = await acceptRefund(shop.db, await paidOrder(shop), 500);
    await recordRefundNeedsAttention(shop.db, refund, FAILURE);
  });

  test('a redriven refund is retried by its workflow, and a skip of a refund is refused', async () => {
    const id = await openDeadLetter(shop, refund.orderId);
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
    const id = await openDeadLetter(shop, refund.orderId);
    shop.checkouts.reachable = false;
    expect((await redrive(shop, id)).status).toBe(503);
    expect(await openDeadLetter(shop, refund.orderId)).toBe(id);
  });

  test('a redrive of a settled refund returns 409 and retries nothing', async () => {
    const id = await openDeadLetter(shop, refund.orderId);
    const data = { status: 'succeeded', settledAt: new Date() } as const;
    await shop.db.refund.update({ where: { id: refund.id }, data });
    expect((await redrive(shop, id)).status).toBe(409);
    expect(shop.refunds.retried).toEqual([]);
  });

  test('dead letters of different refunds with the same cause have one fingerprint', async () => {
    const other = await acceptRefund(shop.db, await paidOrder(shop));
    await recordRefundNeedsAttention(shop.db, other, FAILURE);
    const deadLetters = await shop.db.deadLetter.findMany({ where: { source: 'refund' } });
    expect(new Set(deadLetters.map(({ fingerprint }) => fingerprint)).size).toBe(1);
  });

  test('a redrive of a refund mail starts the same notification', async () => {
    const { id, orderId } = await acceptRefund(shop.db, await paidOrder(shop));
    const notification = `refunded/${id}` as const;
    await recordNotification(shop.db, orderId, { notification, failure: 'mail: refused' });
    expect((await redrive(shop, await openDeadLetter(shop, orderId))).status).toBe(202);
    expect(shop.deliveries.notifications).toEqual([{ orderId, notification }]);
  });
});

describe('a refund on a Temporal server', () => {
  const shop = useRunningShop({ takesCallbacks: true });

  test('a refund whose workflow was terminated is resumed by a redrive and refunded once', async () => {
    const { db, sandbox, services, temporal } = shop;
    const { orderId } = await shop.order();
    await eventually(async () => expect((await findOrder(db, orderId))?.status).toBe('shipped'));
    sandbox.faults.set({ provider: 'payments', operation: 'refund' }, { mode: 'down' });
    const refund = await acceptRefund(db, orderId);
    const start = await findRefundStart(db, refund.id);
    if (!start) throw new Error('no refund');
    expect(await services.refunds.start(start)).toEqual({ kind: 'started' });
    expect(await services.refunds.start(start)).toEqual({ kind: 'already_started' });
    await eventually(() => expect(sandbox.faults.list()[0]?.fired).not.toBe(0));
    await temporal.client.workflow.getHandle(refundWorkflowId(refund.id)).terminate();
    await recordRefundNeedsAttention(db, refund, FAILURE);
    sandbox.faults.clear();
    expect((await redrive(shop, await openDeadLetter(shop, orderId))).status).toBe(202);
    await eventually(async () =>
      expect((await findRefund(db, refund.id))?.status).toBe('succeeded'),
    );
    expect(paymentEffects(shop, orderId)['refund']).toBe(1);
    const deadLetter = await db.deadLetter.findFirstOrThrow({ where: { orderId } });
    expect(deadLetter.status).toBe('resolved');
  });
});
