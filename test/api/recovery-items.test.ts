/** The passes of the recovery over queues of which most items fail. */
import { expect, test } from 'vitest';
import { runRecovery } from '../../services/recovery.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { storeMessage } from '../../prisma/events/inbox.ts';
import { itemFailures } from '../../telemetry/items.ts';
import { claimOf, draftOf } from '../prisma/seeded-database.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

/** More failing items than two batches. */
const FAILING = 25;
const LIMITS = { olderThanMs: 0, expiryGraceMs: 0, batch: 10 };
const PASSES = 4;

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

test('a payment webhook in a form that nobody understands is closed and does not hide the others', async () => {
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
