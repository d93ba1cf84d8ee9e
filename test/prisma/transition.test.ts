import { describe, expect, test } from 'vitest';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { ORDER_STATUSES, TRANSITIONS, type OrderStatus } from '../../domain/order.ts';
import {
  orderTransaction,
  transitionAlone,
  transitionOrder,
  type Transition,
  type TransitionOutcome,
} from '../../prisma/orders/transition.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import { newId } from '../../prisma/client/ids.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { recordCancelling, recordShipmentEnded } from '../../prisma/orders/record-steps.ts';
import { recordShipmentRequested } from '../../prisma/orders/request-shipment.ts';
import { runConcurrently, untilOneWaits, useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase(20);

describe('a change', () => {
  test('a change writes the new status, the next version and its event', async () => {
    const { id } = await shop.place();
    const before = await stored(id);
    const outcome = await change({ orderId: id, type: 'order.reserved', to: 'reserved' });
    const after = await stored(id);
    expect(after).toMatchObject({ status: 'reserved', version: before.version + 1 });
    expect(outcome).toMatchObject({ kind: 'changed', version: after.version });
    const event = await shop.db.event.findFirstOrThrow({ where: { orderId: id, seq: 3 } });
    expect(event).toMatchObject({
      type: 'order.reserved',
      seq: after.version,
      correlationId: after.correlationId,
    });
  });

  test('a rolled-back change leaves the order and its events as they were', async () => {
    const { id } = await shop.place();
    const before = await stored(id);
    const work = shop.db.$transaction(async (tx) => {
      await transitionOrder(tx, { orderId: id, type: 'order.reserved', to: 'reserved' });
      throw new Error('the effect failed');
    });
    await expect(work).rejects.toThrow('the effect failed');
    expect(await stored(id)).toEqual(before);
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(before.version);
  });

  test('a change of an unknown order returns not_found', async () => {
    const orderId = newId('order');
    expect(await change({ orderId, type: 'order.placed' })).toEqual({ kind: 'not_found' });
  });

  test('a repeated change returns already and leaves the order as it is', async () => {
    const { id } = await shop.place();
    const reserve: Transition = { orderId: id, type: 'order.reserved', to: 'reserved' };
    await change(reserve);
    const before = await stored(id);
    expect(await change(reserve)).toEqual({ kind: 'already' });
    await change({ orderId: id, type: 'order.paid', to: 'paid' });
    expect(await change(reserve)).toEqual({ kind: 'already' });
    expect(await stored(id)).toMatchObject({ status: 'paid', version: before.version + 1 });
  });

  test('a change without a once-key may repeat, and a change with one is made once per key', async () => {
    const { id } = await shop.place();
    const notified = { orderId: id, type: 'order.customer_notified' } as const;
    expect(await change({ ...notified, dedupKey: null })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, dedupKey: null })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, dedupKey: 'confirmed' })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, dedupKey: 'shipped' })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, dedupKey: 'shipped' })).toEqual({ kind: 'already' });
  });

  test.each([
    { what: 'that ends the wait for a person resolves', endsAttention: true, status: 'resolved' },
    { what: 'that does not end the wait keeps', endsAttention: false, status: 'open' },
  ])('a status change $what the open dead letter of the order', async (given) => {
    const { endsAttention, status } = given;
    const { id } = await shop.place();
    await recordNeedsAttention(shop.db, id, { steps: ['checkout'], failure: 'stopped' });
    await change({ orderId: id, type: 'order.reserved', to: 'reserved', endsAttention });
    const { deadLetters } = await listDeadLetters(shop.db, { orderId: id }, { limit: 2 });
    expect(deadLetters).toMatchObject([{ subject: 'checkout', status }]);
  });

  test('a change without a new status keeps the status and the waiting step', async () => {
    const { id } = await shop.place();
    await change({
      orderId: id,
      type: 'order.needs_attention',
      to: 'needs_attention',
      attentionStep: 'capturePayment',
    });
    await change({ orderId: id, type: 'order.stock_released' });
    expect(await stored(id)).toMatchObject({
      status: 'needs_attention',
      attentionStep: 'capturePayment',
    });
    await change({ orderId: id, type: 'order.attention_resolved', to: 'reserved' });
    expect(await stored(id)).toMatchObject({ status: 'reserved', attentionStep: null });
  });
});

const PAIRS = ORDER_STATUSES.flatMap((from) => ORDER_STATUSES.map((to) => ({ from, to })));

test('an order changes status only along the transition table', async () => {
  const { id } = await shop.open();
  for (const { from, to } of PAIRS) {
    await putInto(id, from);
    const asked = { orderId: id, type: 'order.placed', dedupKey: null, to } as const;
    const { kind } = await change({ ...asked, ...detailsOf(to) });
    const { status } = await stored(id);
    expect({ from, to, kind, status }).toEqual(expectedVerdict({ from, to }));
  }
});

describe('concurrent changes', () => {
  test('twenty concurrent changes number their events without a gap', async () => {
    const { id } = await shop.place();
    const outcomes = await runConcurrently(20, 20, (index) =>
      change({ orderId: id, type: 'order.customer_notified', dedupKey: `notice ${index}` }),
    );
    expect(outcomes.map((each) => each.kind)).toEqual(outcomes.map(() => 'changed'));
    const events = await shop.db.event.findMany({
      where: { orderId: id },
      orderBy: { seq: 'asc' },
    });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect((await stored(id)).version).toBe(events.length);
  });

  test('one of twenty identical concurrent changes is made, and the others return already', async () => {
    const { id } = await shop.place();
    const outcomes = await runConcurrently(20, 20, () =>
      change({ orderId: id, type: 'order.reserved', to: 'reserved' }),
    );
    expect(outcomes.filter((each) => each.kind === 'changed')).toHaveLength(1);
    expect(outcomes.filter((each) => each.kind === 'already')).toHaveLength(19);
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(3);
  });

  test('twenty concurrent changes without a new status record their event once', async () => {
    const { id } = await shop.place();
    await runConcurrently(20, 20, () => change({ orderId: id, type: 'order.stock_released' }));
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(3);
    expect((await stored(id)).version).toBe(3);
  });

  test('a change as one statement waits for the lock of the order and sees what its holder wrote', async () => {
    const { id } = await shop.place();
    const cancelling = { orderId: id, type: 'order.cancelling', to: 'cancelling' } as const;
    const { late } = await orderTransaction(shop.db, id, async (tx) => {
      await transitionOrder(tx, { ...cancelling, ...detailsOf('cancelling') });
      // Returned in an object, so that the transaction does not wait for it.
      return {
        late: transitionAlone(shop.db, { orderId: id, type: 'order.reserved', to: 'reserved' }),
      };
    });
    expect(await late).toEqual({ kind: 'forbidden', status: 'cancelling' });
  });

  test('neither of two concurrent shipping requests takes the order for cancelled', async () => {
    const { id } = await shop.place();
    const second = await shop.db.$transaction(async (tx) => {
      // The row is locked, so that the second has begun and waits when the first is recorded.
      await tx.$executeRaw`SELECT FROM orders WHERE id = ${id} FOR UPDATE`;
      const begun = recordShipmentRequested(shop.db, id);
      await untilOneWaits(shop.db);
      const correlationId = shipmentCorrelationId(id);
      const shipment = { id: newId('shipment'), orderId: id, correlationId };
      await tx.shipment.create({ data: { ...shipment, status: 'requested' } });
      return { begun };
    });
    expect(await second.begun).toMatchObject({ isRequested: true });
    await recordCancelling(shop.db, id, { reason: 'requested_by_customer', request: null });
    await recordShipmentEnded(shop.db, id, 'cancelled');
    expect(await recordShipmentRequested(shop.db, id)).toMatchObject({ isRequested: false });
  });

  test('a change under the lock is made although a sweep marks the order meanwhile', async () => {
    const { id } = await shop.place();
    const reserve = { orderId: id, type: 'order.reserved', to: 'reserved' } as const;
    const change = await shop.db.$transaction(async (tx) => {
      await tx.$executeRaw`UPDATE orders SET checked_at = now() WHERE id = ${id}`;
      const begun = orderTransaction(shop.db, id, (own) => transitionOrder(own, reserve));
      await untilOneWaits(shop.db);
      return { begun };
    });
    expect(await change.begun).toMatchObject({ kind: 'changed' });
  });

  test('an order that is reserved and cancelled concurrently ends in cancelling', async () => {
    const { id } = await shop.place();
    const ways = [
      { orderId: id, type: 'order.reserved', to: 'reserved' },
      { orderId: id, type: 'order.cancelling', to: 'cancelling', ...detailsOf('cancelling') },
    ] as const;
    await runConcurrently(20, 20, (index) => change(ways[index % 2 === 0 ? 0 : 1]));
    const { status, version } = await stored(id);
    expect(status).toBe('cancelling');
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(version);
  });
});

let changes = 0;

/** As one statement and in a transaction by turns: both must do the same, also beside each other. */
function change(asked: Transition): Promise<TransitionOutcome> {
  changes += 1;
  if (changes % 2 === 0) return transitionAlone(shop.db, asked);
  return orderTransaction(shop.db, asked.orderId, (tx) => transitionOrder(tx, asked));
}

function stored(id: OrderId) {
  return shop.db.order.findUniqueOrThrow({ where: { id } });
}

async function putInto(id: OrderId, status: OrderStatus): Promise<void> {
  await shop.db.order.update({
    where: { id },
    data: {
      status,
      attentionStep: status === 'needs_attention' ? 'capturePayment' : null,
      cancelReason: 'requested_by_customer',
    },
  });
}

function detailsOf(to: OrderStatus): Partial<Transition> {
  if (to === 'needs_attention') return { attentionStep: 'capturePayment' };
  return to === 'cancelling' ? { cancelReason: 'requested_by_customer' } : {};
}

function expectedVerdict({ from, to }: { from: OrderStatus; to: OrderStatus }) {
  if (TRANSITIONS[from].includes(to)) return { from, to, kind: 'changed', status: to };
  return { from, to, kind: from === to ? 'already' : 'forbidden', status: from };
}
