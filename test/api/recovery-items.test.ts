/** The parts of the recovery, over queues of which most items fail, and beside one that hangs. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runRecovery, startRecovery } from '../../services/recovery.ts';
import { reportFailures } from '../../services/report-failures.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { recordReserved } from '../../prisma/orders/record-steps.ts';
import { recordRefundNeedsAttention } from '../../prisma/payments/refund-attention.ts';
import { storeMessage } from '../../prisma/events/inbox.ts';
import { itemFailures } from '../../telemetry/items.ts';
import { claimOf, draftOf } from '../prisma/seeded-database.ts';
import { eventually } from '../support/eventually.ts';
import { createGate } from '../support/gate.ts';
import { paidOrder } from '../support/orders.ts';
import { acceptRefund } from '../support/refunding.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

/** More failing items than two batches. */
const FAILING = 25;
const LIMITS = { olderThanMs: 0, expiryGraceMs: 0, batch: 10 };
const PASSES = 4;
/** pino's level of a warning. */
const WARN = 40;
const warning = z.looseObject({ msg: z.string() });

const shop = useShop();

async function failuresOf(loop: string): Promise<number> {
  const { values } = await itemFailures.get();
  return values.find(({ labels }) => labels.loop === loop)?.value ?? 0;
}

const loggedItems = (loop: string): unknown[] =>
  shop.logged
    .map((line) => JSON.parse(line))
    .filter((line) => line.loop === loop)
    .map(({ item }) => item);

test('callbacks that cannot be delivered are counted, logged by id, and do not hide one behind them', async () => {
  const [bad, good] = [await shop.order(), await shop.order()];
  const answer = { kind: 'refused', reason: 'r' };
  for (const n of times(FAILING + 1, (index) => index)) {
    const { orderId } = n === FAILING ? good : bad;
    const payload = { correlationId: shipmentCorrelationId(orderId), answer };
    const message = { source: 'warehouse', id: `m-${n}`, type: 'shipment.refused' } as const;
    await storeMessage(shop.db, { ...message, orderId, payload });
  }
  const checkouts: typeof shop.checkouts = {
    ...shop.checkouts,
    async shipmentAnswered(id, answered) {
      if (id === bad.orderId) throw new Error('no');
      return shop.checkouts.shipmentAnswered(id, answered);
    },
  };
  const before = await failuresOf('deliver_callbacks');
  for (const _ of times(PASSES, () => 0))
    await runRecovery({ ...shop.services, checkouts }, LIMITS);
  expect(shop.checkouts.answers).toHaveLength(1);
  expect((await failuresOf('deliver_callbacks')) - before).toBeGreaterThanOrEqual(FAILING);
  const ids = times(FAILING, (n) => `m-${n}`);
  expect(new Set(loggedItems('deliver_callbacks'))).toEqual(new Set(ids));
});

test('pending orders that cannot be expired are counted, logged by id, and do not hide one behind them', async () => {
  const orders: OrderId[] = [];
  for (const n of times(FAILING + 1, (index) => index)) {
    const opened = await openOrder(shop.db, claimOf(), draftOf());
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    const { id } = opened.order;
    await shop.db.order.update({ where: { id }, data: { deadlineAt: new Date(n * 1_000) } });
    orders.push(id);
  }
  const good = orders.at(-1);
  const payments: typeof shop.gateways.payments = {
    ...shop.gateways.payments,
    async lookUp(request) {
      if (request.orderId !== good) throw new Error('no');
      return { kind: 'absent' };
    },
  };
  for (const _ of times(PASSES, () => 0)) await runRecovery({ ...shop.services, payments }, LIMITS);
  const expired = await shop.db.order.findMany({ where: { status: 'expired' } });
  expect(expired.map(({ id }) => id)).toEqual([good]);
  expect(new Set(loggedItems('expire_overdue'))).toEqual(new Set(orders.slice(0, -1)));
});

test('a payment webhook in an unknown form is closed and does not hide the others', async () => {
  for (const [id, payload] of [
    ['odd', {}],
    ['even', { reference: 'pi_unknown' }],
  ] as const) {
    const type = 'payment_intent.succeeded';
    await storeMessage(shop.db, { source: 'payments', id, type, orderId: null, payload });
  }
  await runRecovery(shop.services, LIMITS);
  const stored = await shop.db.inboxMessage.findMany({
    where: { source: 'payments' },
    orderBy: { id: 'asc' },
  });
  expect(stored.map(({ id, outcome }) => [id, outcome])).toEqual([
    ['even', 'unknown_payment'],
    ['odd', 'not_understood'],
  ]);
});

test('callbacks are delivered again and again while the expiry of an order waits for its provider', async () => {
  const opened = await openOrder(shop.db, claimOf(), draftOf());
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  const { id } = opened.order;
  await shop.db.order.update({ where: { id }, data: { deadlineAt: new Date(0) } });
  const asked = createGate();
  const answered = createGate();
  const payments: typeof shop.gateways.payments = {
    ...shop.gateways.payments,
    async lookUp() {
      asked.open();
      await answered.opened;
      return { kind: 'absent' };
    },
  };
  const recovery = startRecovery({ ...shop.services, payments });
  try {
    await asked.opened;
    // The second is stored after the first was listed, so it is not of the same batch.
    for (const delivered of [1, 2]) {
      const { orderId } = await shop.order();
      const message = { source: 'warehouse', id: `beside-${delivered}` } as const;
      const payload = {
        correlationId: shipmentCorrelationId(orderId),
        answer: { kind: 'refused', reason: 'r' },
      };
      await storeMessage(shop.db, { ...message, type: 'shipment.refused', orderId, payload });
      await shop.db.inboxMessage.update({
        where: { source_id: message },
        data: { receivedAt: new Date(0) },
      });
      await eventually(() => expect(shop.checkouts.answers).toHaveLength(delivered));
    }
    const waiting = await shop.db.order.findUniqueOrThrow({ where: { id } });
    expect(waiting.status).toBe('pending');
  } finally {
    answered.open();
    await recovery.stop();
  }
});

describe('warnings in the log', () => {
  const STEP = 'capturePayment';
  const cause = (status: number) => `capture: the payment provider answered HTTP ${status}, really`;

  async function needingAttention(failure: string): Promise<OrderId> {
    const { orderId } = await shop.order();
    await recordReserved(shop.db, orderId);
    await recordNeedsAttention(shop.db, orderId, { steps: [STEP], failure });
    return orderId;
  }

  /** All processes at once, each twice. */
  async function report(): Promise<void> {
    for (const _ of [1, 2]) {
      await Promise.all([1, 2, 3].map(() => reportFailures(shop.services, 100)));
    }
  }

  /** Taken out of the log. */
  function warnings() {
    const lines = shop.logged.splice(0).map((line) => warning.parse(JSON.parse(line)));
    return lines.filter(({ msg }) => /needs a person|a new cause/.test(msg));
  }

  test('each order that needs a person is a warning once, and so is each cause until all of it is resolved', async () => {
    const orders = [await needingAttention(cause(500)), await needingAttention(cause(503))];
    await report();
    const deadLetters = await shop.db.deadLetter.findMany({
      where: { orderId: { in: orders } },
      orderBy: { id: 'asc' },
    });
    const first = deadLetters[0];
    const warningOf = (deadLetter: (typeof deadLetters)[number]) => ({
      level: WARN,
      time: expect.any(Number),
      order_id: deadLetter.orderId,
      step: STEP,
      cause: deadLetter.error,
      attempts: 1,
      dead_letter_id: deadLetter.id,
    });
    const seen = warnings();
    expect(seen).toHaveLength(3);
    if (!first) throw new Error('no dead letter');
    const { fingerprint } = first;
    expect(seen).toContainEqual({
      ...warningOf(first),
      fingerprint,
      msg: 'a new cause of failures',
    });
    for (const deadLetter of deadLetters) {
      expect(seen).toContainEqual({ ...warningOf(deadLetter), msg: 'an order needs a person' });
    }

    await needingAttention(cause(502));
    await report();
    expect(warnings().map(({ msg }) => msg)).toEqual(['an order needs a person']);

    await shop.db.deadLetter.updateMany({ data: { status: 'resolved' } });
    await needingAttention(cause(504));
    await report();
    expect(warnings().map(({ msg }) => msg)).toEqual([
      'a new cause of failures',
      'an order needs a person',
    ]);
  });

  test('an order whose redrive failed is a warning again, and a refund that needs a person is one', async () => {
    const orderId = await needingAttention(cause(500));
    await report();
    await shop.db.deadLetter.updateMany({
      where: { orderId },
      data: { status: 'redriven', actor: 'op' },
    });
    await shop.db.order.update({
      where: { id: orderId },
      data: { status: 'reserved', attentionStep: null },
    });
    await recordNeedsAttention(shop.db, orderId, { steps: [STEP], failure: cause(500) });
    const refund = await acceptRefund(shop.db, await paidOrder(shop), 100);
    await recordRefundNeedsAttention(shop.db, refund, 'refund: down');
    warnings();
    await report();
    const seen = warnings();
    expect(seen).toContainEqual(
      expect.objectContaining({ order_id: orderId, msg: 'an order needs a person' }),
    );
    expect(seen).toContainEqual(
      expect.objectContaining({ refund_id: refund.id, msg: 'a refund needs a person' }),
    );
  });
});
