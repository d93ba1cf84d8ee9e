/** The two outcomes of an order, checked in our records and in the providers' own ledgers. */
import type { WorkflowHandle } from '@temporalio/client';
import { workflowMetadataQuery } from '@temporalio/workflow';
import { expect } from 'vitest';
import { AUTHORIZATION_LIFETIME_MS } from '../../domain/attention.ts';
import type { OrderId } from '../../domain/ids.ts';
import { orderNumber } from '../../domain/order-number.ts';
import { chargeOf } from '../../domain/order.ts';
import type { Effect } from '../../local/sandbox/ledger.ts';
import { listDeadLetters, type DeadLetter } from '../../prisma/events/dead-letters.ts';
import { statusQuery, type CheckoutView } from '../../workflows/checkout/contract.ts';
import { orderIdOf, type CheckoutHandle } from './running-shop.ts';
import type { Shop } from './shop.ts';

/** Our records and the providers'. */
type Records = Pick<Shop, 'db' | 'sandbox'>;

/** Shipped once, charged once, out of stock, in agreement with the ledgers. */
export async function expectShipped(shop: Records, orderId: OrderId): Promise<void> {
  const order = await shop.db.order.findUniqueOrThrow({
    where: { id: orderId },
    include: { payment: true, shipment: true, reservations: true, lines: true },
  });
  expect(order.status).toBe('shipped');
  expect(order.payment?.status).toBe('captured');
  expect(order.payment?.capturedMinor).toBe(chargeOf(order).cardMinor);
  expect(order.shipment?.trackingNumber).toBeTruthy();
  const sent = order.lines.map((line) => (line.reservedQuantity === 0 ? 'released' : 'shipped'));
  expect(order.reservations.map((each) => each.status).toSorted()).toEqual(sent.toSorted());
  expect(effectsOf(shop, orderId)).toEqual({ authorize: 1, capture: 1, reserve: 1, ship: 1 });
  await expectOrderConsistent(shop, orderId);
}

/** Cancelled, nothing held and nothing charged, as if the order had never existed. */
export async function expectCleanSlate(shop: Records, orderId: OrderId): Promise<void> {
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
  // A shipment that the warehouse accepted and then refused has nothing left to cancel.
  if (order.shipment?.status !== 'refused') {
    expect(effects['ship'] ?? 0).toBe(effects['cancel'] ?? 0);
  }
  await expectOrderConsistent(shop, orderId);
}

/** An order without a captured payment was cancelled before its authorization expired. */
export async function expectCancelledBeforeExpiry(
  shop: Records,
  handle: CheckoutHandle,
): Promise<void> {
  const result = { status: 'cancelled', reason: 'authorization_expiring' };
  expect(await handle.result()).toEqual(result);
  const { startTime, closeTime } = await handle.describe();
  const tookMs = (closeTime?.getTime() ?? Infinity) - startTime.getTime();
  expect(tookMs).toBeLessThan(AUTHORIZATION_LIFETIME_MS);
  const orderId = orderIdOf(handle);
  await expectCleanSlate(shop, orderId);
  expect(notificationsOf(shop, orderId)).toEqual(['cancelled']);
  const deadLetter = await deadLetterOf(shop, orderId);
  expect(deadLetter).toMatchObject({ subject: 'capturePayment', status: 'resolved' });
}

/** How often each effect really happened outside, per operation; mails not counted. */
export function effectsOf(shop: Records, orderId: OrderId): Record<string, number> {
  const { payments, warehouse } = shop.sandbox.ledgers;
  const counts: Record<string, number> = {};
  for (const { operation, order_id } of [...payments.effects(), ...warehouse.effects()]) {
    if (order_id === orderId) counts[operation] = (counts[operation] ?? 0) + 1;
  }
  return counts;
}

/** The types of an order's events in order. */
export async function eventTypesOf(
  { db }: Pick<Records, 'db'>,
  orderId: OrderId,
): Promise<string[]> {
  const events = await db.event.findMany({ where: { orderId }, orderBy: { seq: 'asc' } });
  return events.map((event) => event.type);
}

/**
 * The notifications that reached the customer for this order, each once: one sent again because its
 * response was late has the same Message-ID, and a mailbox shows it once.
 */
export function notificationsOf(shop: Records, orderId: OrderId): string[] {
  const sent = shop.sandbox.ledgers.mail.effects();
  return [...new Set(sent.filter((each) => each.order_id === orderId).map(notificationOf))];
}

/** The text messages that the customer of the order got: a second one is a second entry. */
export function textsOf({ sandbox }: Pick<Records, 'sandbox'>, orderId: OrderId): string[] {
  const bodies = sandbox.texts.sent().map(({ body }) => body);
  return bodies.filter((body) => body.includes(orderNumber(orderId)));
}

function notificationOf(effect: Effect): string {
  return effect.key.split('.')[1] ?? effect.key;
}

/**
 * The status query of a workflow, sent only while it is idle or retries an activity; throws otherwise.
 * A worker without a workflow cache may replay to a local activity that is already running, run it
 * again, and lose the task or hang (SDK 1.24).
 */
export async function viewOf(handle: CheckoutHandle): Promise<CheckoutView> {
  const { pendingWorkflowTask, pendingActivities } = (await handle.describe()).raw;
  expect(pendingWorkflowTask ?? null, 'the workflow task under way').toBeNull();
  for (const { attempt } of pendingActivities ?? []) expect(attempt).toBeGreaterThan(1);
  return handle.query(statusQuery);
}

/** The card in the Web UI, which reads it by a query of the SDK's. */
export async function cardOf(handle: CheckoutHandle): Promise<string> {
  await viewOf(handle);
  return currentDetailsOf(handle);
}

/** What any workflow shows there. */
export async function currentDetailsOf(handle: WorkflowHandle): Promise<string> {
  return (await handle.query(workflowMetadataQuery)).currentDetails ?? '';
}

/** The steps that wait for a decision, by the workflow's own query. */
export async function waitingFor(handle: CheckoutHandle): Promise<readonly string[]> {
  return (await viewOf(handle)).waitingFor;
}

/** The step that needs attention, by our records. */
export async function attentionOf({ db }: Records, id: OrderId): Promise<string | null> {
  return (await db.order.findUniqueOrThrow({ where: { id } })).attentionStep;
}

/** The latest dead letter about a step of the order. */
export async function deadLetterOf(
  { db }: Records,
  orderId: OrderId,
): Promise<DeadLetter | undefined> {
  const filter = { source: 'checkout', orderId } as const;
  return (await listDeadLetters(db, filter, { limit: 10 })).deadLetters[0];
}

/** Stock sums, event sequences and payment operations are consistent after any outcome. */
async function expectOrderConsistent(shop: Records, orderId: OrderId): Promise<void> {
  const violations = await shop.db.$queryRaw`
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
  expect(violations).toEqual([]);
  await expectLedgersMatch(shop, orderId);
}

/** Each effect at the payment provider is an operation in our records, and the reverse. */
export async function expectLedgersMatch(
  { db, sandbox }: Records,
  orderId?: OrderId,
): Promise<void> {
  const where = { state: 'succeeded', ...(orderId !== undefined && { orderId }) } as const;
  const ours = (await db.paymentOperation.findMany({ where })).map(
    (each) => `${each.key} ${each.amountMinor} ${each.currency}`,
  );
  const theirs = sandbox.ledgers.payments
    .effects()
    .filter((each) => orderId === undefined || each.order_id === orderId)
    // A bank's, not ours.
    .filter((each) => !each.operation.startsWith('dispute'))
    .map((each) => `${each.key} ${each.amount_minor} ${each.currency}`);
  expect(ours.toSorted()).toEqual(theirs.toSorted());
}
