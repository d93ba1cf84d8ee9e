import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import { ORDER_STATUSES, TRANSITIONS, type OrderStatus } from '../../domain/order.ts';
import { changeOrder, type Change, type ChangeOutcome } from '../../prisma/change.ts';
import { listDeadLetters } from '../../prisma/dead-letters.ts';
import { newId } from '../../prisma/new-id.ts';
import { recordNeedsAttention } from '../../prisma/parking.ts';
import { crowd, openShop, type Shop } from './shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop(20);
});
afterAll(() => shop.close());

describe('a change', () => {
  test('is the new status, the next version and its event, together', async () => {
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

  test('that is rolled back leaves neither', async () => {
    const { id } = await shop.place();
    const before = await stored(id);
    const work = shop.db.$transaction(async (tx) => {
      await changeOrder(tx, { orderId: id, type: 'order.reserved', to: 'reserved' });
      throw new Error('the effect failed');
    });
    await expect(work).rejects.toThrow('the effect failed');
    expect(await stored(id)).toEqual(before);
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(before.version);
  });

  test('of an unknown order is not found', async () => {
    const orderId = newId('order');
    expect(await change({ orderId, type: 'order.placed' })).toEqual({ kind: 'not_found' });
  });

  test('made before is not made again, and says so', async () => {
    const { id } = await shop.place();
    const reserve: Change = { orderId: id, type: 'order.reserved', to: 'reserved' };
    await change(reserve);
    const before = await stored(id);
    expect(await change(reserve)).toEqual({ kind: 'already' });
    await change({ orderId: id, type: 'order.paid', to: 'paid' });
    expect(await change(reserve)).toEqual({ kind: 'already' });
    expect(await stored(id)).toMatchObject({ status: 'paid', version: before.version + 1 });
  });

  test('without a once-key may repeat; with one of its own it is told apart from others', async () => {
    const { id } = await shop.place();
    const notified = { orderId: id, type: 'order.customer_notified' } as const;
    expect(await change({ ...notified, onceKey: null })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, onceKey: null })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, onceKey: 'confirmed' })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, onceKey: 'shipped' })).toMatchObject({ kind: 'changed' });
    expect(await change({ ...notified, onceKey: 'shipped' })).toEqual({ kind: 'already' });
  });

  test('of an order that waited for a person, made without one: nobody is asked any more', async () => {
    const { id } = await shop.place();
    await recordNeedsAttention(shop.db, id, { steps: ['checkout'], failure: 'stopped' });
    await change({ orderId: id, type: 'order.reserved', to: 'reserved' });
    const { letters } = await listDeadLetters(shop.db, { orderId: id }, { limit: 2 });
    expect(letters).toMatchObject([{ subject: 'checkout', status: 'resolved' }]);
  });

  test('that is a fact alone keeps status and waiting step', async () => {
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

test('an order moves along the transition table and nowhere else', async () => {
  const { id } = await shop.open();
  for (const { from, to } of PAIRS) {
    await putInto(id, from);
    const asked = { orderId: id, type: 'order.placed', onceKey: null, to } as const;
    const { kind } = await change({ ...asked, ...detailsOf(to) });
    const { status } = await stored(id);
    expect({ from, to, kind, status }).toEqual(expectedVerdict({ from, to }));
  }
});

describe('twenty changes at once', () => {
  test('number their events without a gap', async () => {
    const { id } = await shop.place();
    const outcomes = await crowd(20, 20, (index) =>
      change({ orderId: id, type: 'order.customer_notified', onceKey: `notice ${index}` }),
    );
    expect(outcomes.map((each) => each.kind)).toEqual(outcomes.map(() => 'changed'));
    const events = await shop.db.event.findMany({
      where: { orderId: id },
      orderBy: { seq: 'asc' },
    });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect((await stored(id)).version).toBe(events.length);
  });

  test('of the same kind happen once; the others hear it was made already', async () => {
    const { id } = await shop.place();
    const outcomes = await crowd(20, 20, () =>
      change({ orderId: id, type: 'order.reserved', to: 'reserved' }),
    );
    expect(outcomes.filter((each) => each.kind === 'changed')).toHaveLength(1);
    expect(outcomes.filter((each) => each.kind === 'already')).toHaveLength(19);
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(3);
  });

  test('that are one and the same fact: it is recorded once', async () => {
    const { id } = await shop.place();
    await crowd(20, 20, () => retried(() => change({ orderId: id, type: 'order.stock_released' })));
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(3);
    expect((await stored(id)).version).toBe(3);
  });

  test('in two directions: it turns round and never goes forward again', async () => {
    const { id } = await shop.place();
    const ways = [
      { orderId: id, type: 'order.reserved', to: 'reserved' },
      { orderId: id, type: 'order.cancelling', to: 'cancelling', ...detailsOf('cancelling') },
    ] as const;
    await crowd(20, 20, (index) => change(ways[index % 2 === 0 ? 0 : 1]));
    const { status, version } = await stored(id);
    expect(status).toBe('cancelling');
    expect(await shop.db.event.count({ where: { orderId: id } })).toBe(version);
  });
});

function change(asked: Change): Promise<ChangeOutcome> {
  return shop.db.$transaction((tx) => changeOrder(tx, asked));
}

/** A collision on the once-key rolls one of two back; it is made again, as Temporal would. */
async function retried(work: () => Promise<ChangeOutcome>): Promise<ChangeOutcome> {
  return work().catch(work);
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

function detailsOf(to: OrderStatus): Partial<Change> {
  if (to === 'needs_attention') return { attentionStep: 'capturePayment' };
  return to === 'cancelling' ? { cancelReason: 'requested_by_customer' } : {};
}

function expectedVerdict({ from, to }: { from: OrderStatus; to: OrderStatus }) {
  if (TRANSITIONS[from].includes(to)) return { from, to, kind: 'changed', status: to };
  return { from, to, kind: from === to ? 'already' : 'forbidden', status: from };
}
