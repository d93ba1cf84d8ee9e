/** A database with an order of every scenario, as the service itself writes them: nothing in it is wrong. */
import type { CustomerId, OrderId } from '../../domain/ids.ts';
import type { CancelReason, Fulfillment, Order, OrderStatus } from '../../domain/order.ts';
import { reduceOrder } from '../../domain/partial-order.ts';
import { MANUAL_CARRIER } from '../../domain/shipment.ts';
import type { RefundTarget } from '../../domain/refund.ts';
import { uncheckedColumn } from '../../prisma/client/columns.ts';
import { grantCredit } from '../../prisma/credit/grant.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import {
  listDeadLetters,
  markRedriven,
  recordDeadLetter,
} from '../../prisma/events/dead-letters.ts';
import { LOG_START } from '../../prisma/events/event-log.ts';
import { recordPartReserved } from '../../prisma/orders/record-part.ts';
import { recordExpired } from '../../prisma/orders/expire-order.ts';
import * as steps from '../../prisma/orders/record-steps.ts';
import { recordShipmentRequested } from '../../prisma/orders/request-shipment.ts';
import { markProcessed, storeMessage } from '../../prisma/events/inbox.ts';
import { recordAction } from '../../prisma/access/operator-actions.ts';
import { markStarted } from '../../prisma/orders/orders.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import * as payments from '../../prisma/payments/payments.ts';
import { recordResolved } from '../../prisma/payments/step-decisions.ts';
import {
  recordActionRequired,
  recordDeclined,
  recordPlaced,
} from '../../prisma/orders/settle-order.ts';
import { openRemainingRefund } from '../../prisma/payments/compensation-refunds.ts';
import { recordRefundSucceeded } from '../../prisma/payments/refund-outcomes.ts';
import { markRefundStarted } from '../../prisma/payments/refunds.ts';
import { requestRefund } from '../../prisma/payments/request-refund.ts';
import { ensureSubscription, pauseSubscription } from '../../prisma/events/subscriptions.ts';
import { changeEndpoint, createEndpoint } from '../../prisma/events/webhook-endpoints.ts';
import {
  claimOf,
  draftOf,
  openSeededDatabase,
  type SeededDatabase,
} from '../prisma/seeded-database.ts';
import { CIPHER } from '../support/shop.ts';
import { useOpened } from '../support/use-opened.ts';
import { runSubscribers } from './run-subscribers.ts';

export const SCENARIOS = [
  'pending',
  'declined',
  'expired',
  'expiredAfterAuthorization',
  'waitingForShopper',
  'expiredUnconfirmed',
  'placed',
  'reserved',
  'paid',
  'shipped',
  'refundedInPart',
  'refunding',
  'cancelling',
  'cancelledBeforeCapture',
  'cancelledAfterCapture',
  'shippingRefused',
  'waitingBeforeCapture',
  'waitingWhileCancelling',
  'waitingAfterManualCapture',
  'capturedAndShippedManually',
  'refundedAndReleasedManually',
  'paidByCredit',
  'cancelledWithCredit',
  'refundedToCredit',
  'sentInPart',
] as const;
export type ScenarioOrders = Readonly<Record<(typeof SCENARIOS)[number], OrderId>>;

const OPERATOR = { apiKeyId: 'key_operator', correlationId: 'asked' };

export type HealthyShop = SeededDatabase & { readonly orders: ScenarioOrders };

export const useHealthyShop = (): HealthyShop => useOpened(openHealthyShop);

async function openHealthyShop(): Promise<HealthyShop> {
  const shop = await openSeededDatabase();
  await addEndpoints(shop);
  const orders = await writeOrders(shop);
  await recordDeadLetters(shop, orders);
  await runSubscribers(shop);
  return { ...shop, orders };
}

/** One that takes every event, and one that was disabled before there was any. */
async function addEndpoints({ db }: SeededDatabase): Promise<void> {
  const response = () => ({ status: 201, body: '{}' });
  const wanted = { types: [], by: OPERATOR, cipher: CIPHER, response };
  for (const status of ['enabled', 'disabled'] as const) {
    const url = `https://${status}.example/hooks`;
    const created = await createEndpoint(db, claimOf({ scope: 'endpoints' }), { ...wanted, url });
    if (created.kind !== 'created') throw new Error(created.kind);
    await changeEndpoint(db, created.endpoint.id, { status, by: OPERATOR });
  }
}

async function writeOrders(shop: SeededDatabase): Promise<ScenarioOrders> {
  const { db } = shop;
  const to = (status: 'placed' | 'reserved' | 'paid') => advanced(shop, status);
  const declined = await shop.open();
  const response = { status: 402, body: '{}' };
  await recordDeclined(db, declined, { code: 'card_declined', reference: null, response });
  const expired = await shop.open();
  await recordExpired(db, expired, null);
  const expiredLate = await shop.open();
  await recordExpired(db, expiredLate, {
    reference: `pi_${expiredLate.id}`,
    wasAuthorized: true,
  });
  const paid = await to('paid');
  await recordShipmentRequested(db, paid.id);
  await steps.recordShipmentAccepted(db, paid.id);
  const cancelling = await to('reserved');
  await startCancelling(shop, cancelling, 'requested_by_customer');
  return {
    pending: (await shop.open([{ sku: 'poster-a2', quantity: 3 }])).id,
    declined: declined.id,
    expired: expired.id,
    expiredAfterAuthorization: expiredLate.id,
    waitingForShopper: (await unconfirmed(shop)).id,
    expiredUnconfirmed: await expiredUnconfirmed(shop),
    placed: (await to('placed')).id,
    reserved: (await to('reserved')).id,
    paid: paid.id,
    shipped: await shipped(shop),
    refundedInPart: await refunded(shop, 'succeeded'),
    refunding: await refunded(shop, 'requested'),
    cancelling: cancelling.id,
    cancelledBeforeCapture: await cancelledBeforeCapture(shop),
    cancelledAfterCapture: await cancelledAfterCapture(shop, 'cancelled'),
    shippingRefused: await cancelledAfterCapture(shop, 'refused'),
    waitingBeforeCapture: await waiting(shop, await to('reserved'), ['capturePayment']),
    waitingWhileCancelling: await waitingWhileCancelling(shop),
    waitingAfterManualCapture: await waitingAfterManualCapture(shop),
    capturedAndShippedManually: await shippedManually(shop),
    refundedAndReleasedManually: await compensatedManually(shop),
    ...(await writeCreditOrders(shop)),
  };
}

/** The shopper has to confirm the payment. */
async function unconfirmed({ db, open }: SeededDatabase): Promise<Order> {
  const order = await open();
  await recordActionRequired(db, order, { reference: `pi_${order.id}`, minutes: 15 });
  return order;
}

async function expiredUnconfirmed(shop: SeededDatabase): Promise<OrderId> {
  const order = await unconfirmed(shop);
  const ended = { reference: `pi_${order.id}`, wasAuthorized: false };
  await recordExpired(shop.db, order, ended);
  return order.id;
}

/** An order of two SKUs, as far as the given status; its workflow is known to run. */
async function advanced(
  shop: SeededDatabase,
  status: 'placed' | 'reserved' | 'paid',
): Promise<Order> {
  const { db } = shop;
  const order = await shop.place([
    { sku: 'mug-white', quantity: 2 },
    { sku: 'tee-black-m', quantity: 1 },
  ]);
  await markStarted(db, order.id);
  if (status === 'placed') return order;
  await steps.recordReserved(db, order.id);
  if (status === 'reserved') return order;
  const payment = await paymentOf(shop, order.id);
  await payments.recordIntent(db, payment, 'capture');
  await payments.recordCaptured(db, payment);
  return order;
}

async function shipped(shop: SeededDatabase): Promise<OrderId> {
  const { id } = await advanced(shop, 'paid');
  await recordShipmentRequested(shop.db, id);
  const parcel = { carrier: 'Sandbox Parcel', trackingNumber: 'SP1' };
  const message = { source: 'warehouse', id: 'msg_1', type: 'shipment.shipped' } as const;
  await storeMessage(shop.db, { ...message, orderId: id, payload: {} });
  await markProcessed(shop.db, { ...message, ids: [message.id] }, 'delivered');
  await steps.recordShipped(shop.db, id, parcel);
  await steps.recordNotification(shop.db, id, { notification: 'shipped', failure: null });
  return id;
}

async function refunded(
  shop: SeededDatabase,
  status: 'requested' | 'succeeded',
  to: RefundTarget = 'original',
): Promise<OrderId> {
  const { db } = shop;
  const { id: orderId } = await advanced(shop, 'paid');
  const asked = {
    orderId,
    amountMinor: 100,
    reason: 'one mug was broken',
    actor: 'key_operator',
    to,
  } as const;
  const response = () => ({ status: 202, body: '{}' });
  const claim = claimOf({ scope: 'refunds' });
  const outcome = await requestRefund(db, { ...asked, claim, response });
  if (outcome.kind !== 'requested') throw new Error(`not accepted: ${outcome.kind}`);
  await markRefundStarted(db, outcome.refund.id);
  const reference = to === 'credit' ? null : `re_${orderId}`;
  if (status === 'succeeded') await recordRefundSucceeded(db, outcome.refund, reference);
  return orderId;
}

async function cancelledBeforeCapture(shop: SeededDatabase): Promise<OrderId> {
  const order = await advanced(shop, 'reserved');
  await startCancelling(shop, order, 'requested_by_customer');
  const payment = await paymentOf(shop, order.id);
  await payments.recordIntent(shop.db, payment, 'void');
  await payments.recordVoided(shop.db, payment);
  await steps.recordStockReleased(shop.db, order.id);
  await steps.recordCancelled(shop.db, order.id, 'requested_by_customer');
  return order.id;
}

async function cancelledAfterCapture(shop: SeededDatabase, parcel: 'cancelled' | 'refused') {
  const order = await advanced(shop, 'paid');
  await recordShipmentRequested(shop.db, order.id);
  await startCancelling(shop, order, 'shipping_refused');
  await steps.recordShipmentEnded(shop.db, order.id, parcel);
  const refund = await openRemainingRefund(shop.db, await paymentOf(shop, order.id));
  if (refund) await recordRefundSucceeded(shop.db, refund, `re_${order.id}`);
  await steps.recordStockReleased(shop.db, order.id);
  await steps.recordCancelled(shop.db, order.id, 'shipping_refused');
  return order.id;
}

/** Orders of a customer whose grant expires in a hundred years, with wholly and partly spent credit. */
async function writeCreditOrders(shop: SeededDatabase) {
  const { db } = shop;
  const { id: customerId } = await db.customer.findFirstOrThrow();
  const grant = { customerId: uncheckedColumn<CustomerId>(customerId), amountMinor: 1_000 };
  const terms = { currency: 'EUR', reason: 'late', expiresAt: '2126-01-01T00:00:00Z' };
  await db.$transaction((tx) => grantCredit(tx, { ...grant, ...terms, actor: 'key_operator' }));
  const paid = await placedWithCredit(shop, 200);
  await steps.recordReserved(db, paid.id);
  await payments.recordCaptured(db, await paymentOf(shop, paid.id));
  const cancelled = await placedWithCredit(shop, 50);
  await startCancelling(shop, cancelled, 'requested_by_customer');
  await payments.recordVoided(db, await paymentOf(shop, cancelled.id));
  await steps.recordCancelled(db, cancelled.id, 'requested_by_customer');
  const refundedToCredit = await refunded(shop, 'succeeded', 'credit');
  const part = await placedWithCredit(shop, 150, 'ship_available');
  const reserved = reduceOrder(part, [{ sku: 'mug-white', quantity: 1 }], null);
  if (reserved !== null) await recordPartReserved(db, part.id, reserved);
  await payments.recordCaptured(db, await paymentOf(shop, part.id));
  return {
    paidByCredit: paid.id,
    cancelledWithCredit: cancelled.id,
    refundedToCredit,
    sentInPart: part.id,
  };
}

async function placedWithCredit(
  { db }: SeededDatabase,
  creditMinor: number,
  fulfillment: Fulfillment = 'all_or_nothing',
): Promise<Order> {
  const draft = { ...draftOf(), fulfillment };
  const paymentMethod = creditMinor === draft.totalMinor ? null : draft.paymentMethod;
  const opened = await openOrder(db, claimOf(), { ...draft, creditMinor, paymentMethod });
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  const { order } = opened;
  const reference = paymentMethod && `pi_${order.id}`;
  const response = () => ({ status: 201, body: JSON.stringify({ id: order.id }) });
  await recordPlaced(db, order, { reference, response });
  await markStarted(db, order.id);
  return order;
}

async function waiting(
  shop: SeededDatabase,
  { id }: Order,
  steps: readonly string[],
): Promise<OrderId> {
  const waiting = { steps, failure: 'provider_unavailable: refund' };
  await recordNeedsAttention(shop.db, id, waiting);
  return id;
}

async function waitingWhileCancelling(shop: SeededDatabase): Promise<OrderId> {
  const order = await advanced(shop, 'paid');
  await startCancelling(shop, order, 'shipping_refused');
  return waiting(shop, order, ['voidOrRefundPayment', 'releaseStock']);
}

/** What was held of its money has lapsed. */
async function waitingAfterManualCapture(shop: SeededDatabase): Promise<OrderId> {
  const order = await advanced(shop, 'reserved');
  await waiting(shop, order, ['capturePayment']);
  await skip(shop, order, { step: 'capturePayment', resumes: 'paid' });
  await waiting(shop, order, ['shipOrder']);
  const { id: orderId } = order;
  await shop.db.payment.update({ where: { orderId }, data: { captureBefore: new Date(0) } });
  return orderId;
}

async function shippedManually(shop: SeededDatabase): Promise<OrderId> {
  const id = await waitingAfterManualCapture(shop);
  await skip(shop, { id }, { step: 'shipOrder', resumes: 'paid' });
  await steps.recordShipped(shop.db, id, { carrier: MANUAL_CARRIER, trackingNumber: 'none' });
  return id;
}

async function compensatedManually(shop: SeededDatabase): Promise<OrderId> {
  const order = await advanced(shop, 'paid');
  await startCancelling(shop, order, 'shipping_refused');
  await waiting(shop, order, ['voidOrRefundPayment', 'releaseStock']);
  await skip(shop, order, { step: 'releaseStock', resumes: 'cancelling' });
  await waiting(shop, order, ['voidOrRefundPayment']);
  await skip(shop, order, { step: 'voidOrRefundPayment', resumes: 'cancelling' });
  await steps.recordCancelled(shop.db, order.id, 'shipping_refused');
  return order.id;
}

async function skip(
  { db }: SeededDatabase,
  { id }: Pick<Order, 'id'>,
  { step, resumes }: { readonly step: string; readonly resumes: OrderStatus },
): Promise<void> {
  const decided = { decision: 'skip', note: 'done manually', actor: 'key_operator' };
  await recordResolved(db, id, { ...decided, step, resumes });
}

async function startCancelling(
  { db }: SeededDatabase,
  { id }: Order,
  reason: CancelReason,
): Promise<void> {
  await steps.recordCancelling(db, id, { reason, request: null });
}

/** A failed delivery that is tried again by an operator, a mail that failed, a paused subscription. */
async function recordDeadLetters({ db }: SeededDatabase, orders: ScenarioOrders): Promise<void> {
  const orderId = orders.shipped;
  const mail = { notification: 'confirmed', failure: 'no answer' } as const;
  await steps.recordNotification(db, orderId, mail);
  const event = await db.event.findFirstOrThrow({ where: { orderId, type: 'order.paid' } });
  const failedAt = new Date().toISOString();
  await db.$transaction(async (tx) => {
    await recordDeadLetter(tx, {
      source: 'delivery',
      subject: 'analytics',
      orderId,
      eventId: event.id,
      message: {},
      error: 'unexpected Error',
      retryCount: 3,
      firstFailedAt: failedAt,
      lastFailedAt: failedAt,
    });
    await ensureSubscription(tx, { name: 'paused', types: [], cursor: LOG_START });
    await pauseSubscription(tx, 'paused', true);
    await recordAction(tx, OPERATOR, { action: 'subscription.paused', subject: 'paused' });
  });
  const { deadLetters } = await listDeadLetters(db, { source: 'delivery' }, { limit: 1 });
  for (const { id } of deadLetters) {
    await db.$transaction(async (tx) => {
      await markRedriven(tx, id, { actor: 'operator', note: null });
      await recordAction(tx, OPERATOR, { action: 'dead_letter.redriven', subject: id });
    });
  }
}

async function paymentOf({ db }: SeededDatabase, orderId: OrderId) {
  const payment = await payments.findPayment(db, orderId);
  if (!payment) throw new Error(`no payment of ${orderId}`);
  return payment;
}
