/** The two ways an order may end, checked in our books and in the providers' own ledgers. */
import { expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Effect } from '../../local/sandbox/ledger.ts';
import { listDeadLetters, type DeadLetter } from '../../prisma/events/dead-letters.ts';
import { statusQuery, type CheckoutView } from '../../workflows/checkout/contract.ts';
import type { CheckoutHandle } from './running-shop.ts';
import type { Shop } from './shop.ts';

/** What the checks look at: our books and the providers'. */
type Books = Pick<Shop, 'db' | 'sandbox'>;

/** Shipped once, charged once, off the shelves, books and ledgers agree. */
export async function expectShipped(shop: Books, orderId: OrderId): Promise<void> {
  const order = await shop.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true, shipment: true, reservations: true },
  });
  expect(order.status).toBe('shipped');
  expect(order.payment?.status).toBe('captured');
  expect(order.payment?.capturedMinor).toBe(order.totalMinor);
  expect(order.shipment?.trackingNumber).toBeTruthy();
  expect(order.reservations.map((each) => each.status)).toEqual(
    order.reservations.map(() => 'shipped'),
  );
  expect(effectsOf(shop, orderId)).toEqual({ authorize: 1, capture: 1, reserve: 1, ship: 1 });
  await expectConsistent(shop, orderId);
}

/** Cancelled, nothing held anywhere, nothing charged, as if the order had never been. */
export async function expectCleanSlate(shop: Books, orderId: OrderId): Promise<void> {
  const order = await shop.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true, shipment: true, reservations: true },
  });
  expect(order.status).toBe('cancelled');
  expect(['voided', 'refunded']).toContain(order.payment?.status);
  expect(order.payment?.capturedMinor).toBe(order.payment?.refundedMinor);
  expect(order.reservations.map((each) => each.status)).toEqual(
    order.reservations.map(() => 'released'),
  );
  if (order.shipment) expect(['refused', 'cancelled']).toContain(order.shipment.status);
  const effects = effectsOf(shop, orderId);
  expect(effects['capture'] ?? 0).toBe(effects['refund'] ?? 0);
  expect((effects['capture'] ?? 0) + (effects['void'] ?? 0)).toBe(1);
  expect(effects['reserve'] ?? 0).toBe(effects['release'] ?? 0);
  // A request the warehouse took and then refused by its answer has nothing left to cancel.
  if (order.shipment?.status !== 'refused') {
    expect(effects['ship'] ?? 0).toBe(effects['cancel'] ?? 0);
  }
  await expectConsistent(shop, orderId);
}

/** How often each effect really happened outside, per operation; mails not counted. */
export function effectsOf(shop: Books, orderId: OrderId): Record<string, number> {
  const { payments, warehouse } = shop.sandbox.ledgers;
  const counts: Record<string, number> = {};
  for (const { operation, order_id } of [...payments.effects(), ...warehouse.effects()]) {
    if (order_id === orderId) counts[operation] = (counts[operation] ?? 0) + 1;
  }
  return counts;
}

/** The types of an order's events in order. */
export async function eventTypesOf({ db }: Pick<Books, 'db'>, orderId: OrderId): Promise<string[]> {
  const events = await db.event.findMany({ where: { orderId }, orderBy: { seq: 'asc' } });
  return events.map((event) => event.type);
}

/**
 * The notices that reached the customer for this order, each once: one sent again because its answer
 * was late has the same Message-ID, and a mailbox shows it once.
 */
export function notificationsOf(shop: Books, orderId: OrderId): string[] {
  const sent = shop.sandbox.ledgers.mail.effects();
  return [...new Set(sent.filter((each) => each.order_id === orderId).map(notificationOf))];
}

function notificationOf(effect: Effect): string {
  return effect.key.split('.')[1] ?? effect.key;
}

/**
 * What a workflow says of itself, asked only while it rests or an activity of it is retried; throws
 * otherwise. A worker that keeps no workflow between its tasks may replay to a local activity that
 * runs already, run it again, and lose the task or hang over it (SDK 1.24).
 */
export async function viewOf(handle: CheckoutHandle): Promise<CheckoutView> {
  const { pendingWorkflowTask, pendingActivities } = (await handle.describe()).raw;
  expect(pendingWorkflowTask ?? null, 'the workflow task under way').toBeNull();
  for (const { attempt } of pendingActivities ?? []) expect(attempt).toBeGreaterThan(1);
  return handle.query(statusQuery);
}

/** The steps a decision would be taken for, as the workflow itself says. */
export async function waitingFor(handle: CheckoutHandle): Promise<readonly string[]> {
  return (await viewOf(handle)).waitingFor;
}

/** The same by our books. */
export async function attentionOf({ db }: Books, id: OrderId): Promise<string | null> {
  return (await db.order.findUniqueOrThrow({ where: { id } })).attentionStep;
}

/** The latest dead letter about a step of the order. */
export async function deadLetterOf(
  { db }: Books,
  orderId: OrderId,
): Promise<DeadLetter | undefined> {
  const filter = { source: 'checkout', orderId } as const;
  return (await listDeadLetters(db, filter, { limit: 10 })).deadLetters[0];
}

/** Stock sums, event sequence and payment operations hold whatever happened. */
async function expectConsistent(shop: Books, orderId: OrderId): Promise<void> {
  const unsound = await shop.db.$queryRaw`
    SELECT s.sku FROM stock s
    WHERE s.held <> (SELECT coalesce(sum(quantity), 0) FROM reservations r
                     WHERE r.sku = s.sku AND r.status IN ('held', 'reserved'))
       OR s.on_hand <> (SELECT coalesce(sum(delta), 0) FROM stock_movements m WHERE m.sku = s.sku)
    UNION ALL
    SELECT order_id FROM events WHERE order_id = ${orderId}
    GROUP BY order_id HAVING max(seq) <> count(*)
    UNION ALL
    SELECT o.id FROM orders o WHERE o.id = ${orderId}
      AND o.version <> (SELECT max(seq) FROM events e WHERE e.order_id = o.id)`;
  expect(unsound).toEqual([]);
  const operations = await shop.db.paymentOperation.findMany({
    where: { orderId, state: 'succeeded' },
  });
  const ours = operations.map((each) => `${each.key} ${each.amountMinor} ${each.currency}`).sort();
  const theirs = shop.sandbox.ledgers.payments
    .effects()
    .filter((each) => each.order_id === orderId)
    .map((each) => `${each.key} ${each.amount_minor} ${each.currency}`)
    .sort();
  expect(ours).toEqual(theirs);
}
