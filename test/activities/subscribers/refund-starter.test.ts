import { beforeEach, expect, test } from 'vitest';
import { createRefundStarterSubscriber } from '../../../activities/events/subscribers/refund-starter.ts';
import type { OrderId } from '../../../domain/ids.ts';
import type { Refund } from '../../../domain/refund.ts';
import { findPayment, recordCaptured, recordIntent } from '../../../prisma/payments/payments.ts';
import { recordReserved } from '../../../prisma/orders/record-steps.ts';
import { recordRefundSucceeded } from '../../../prisma/payments/refund-outcomes.ts';
import { markRefundStarted, type RefundStart } from '../../../prisma/payments/refunds.ts';
import { acceptRefund } from '../../support/refunding.ts';
import { NEVER, useHistory, wanted } from './history.ts';

const history = useHistory();
const started: RefundStart[] = [];
let away = false;

beforeEach(() => {
  started.length = 0;
  away = false;
});

const starter = createRefundStarterSubscriber({
  get db() {
    return history.db;
  },
  async startRefund(refund) {
    if (away) throw new Error('away');
    started.push(refund);
    await markRefundStarted(history.db, refund.refundId);
  },
});

/** A refund as the API leaves it when it dies before the start. */
async function accepted(): Promise<Refund> {
  const { id } = await history.live({ scenario: 'placed' });
  await recordReserved(history.db, id);
  const payment = await findPayment(history.db, id);
  if (!payment) throw new Error('no payment');
  await recordIntent(history.db, payment, 'capture');
  await recordCaptured(history.db, payment);
  return acceptRefund(history.db, id, 50);
}

async function hand(orderId: OrderId, signal = NEVER): Promise<void> {
  const events = wanted(starter, await history.log());
  await starter.handle(
    events.filter((event) => event.orderId === orderId),
    signal,
  );
}

test('the refund starter starts an unstarted refund once with ids and amounts only', async () => {
  const { id, orderId } = await accepted();
  for (const _ of [1, 2, 3]) await hand(orderId);
  expect(started).toEqual([
    {
      refundId: id,
      orderId,
      amountMinor: 50,
      currency: 'EUR',
      correlationId: expect.any(String),
      traceparent: null,
      inspectable: false,
    },
  ]);
});

test('the refund starter ignores a settled refund', async () => {
  const refund = await accepted();
  await recordRefundSucceeded(history.db, refund, 're_1');
  await hand(refund.orderId);
  expect(started).toEqual([]);
});

test('the refund starter fails while Temporal is unavailable and starts the refund on redelivery', async () => {
  const { orderId } = await accepted();
  away = true;
  await expect(hand(orderId)).rejects.toThrow('away');
  away = false;
  await hand(orderId);
  expect(started).toHaveLength(1);
});

test('the refund starter starts nothing after its deadline', async () => {
  const { orderId } = await accepted();
  await expect(hand(orderId, AbortSignal.abort())).rejects.toThrow('aborted');
  expect(started).toEqual([]);
});
