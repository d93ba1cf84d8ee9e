/**
 * Writes of the checkout's steps: effect, status and event in one transaction each. Times are the
 * database's, hence raw SQL.
 */
import { notificationStep } from '../../domain/attention.ts';
import {
  shipmentCorrelationId,
  smsKindOf,
  type Notification,
  type OrderId,
} from '../../domain/ids.ts';
import type { CancelReason } from '../../domain/order.ts';
import { trackingTerm } from '../../domain/search-terms.ts';
import { recordDisputedMoneyLeft } from './disputed-money.ts';
import { recordStepDeadLetter } from './step-attempts.ts';
import {
  orderTransaction,
  transitionAlone,
  transitionOrder,
  type TransitionOutcome,
} from './transition.ts';
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { giveBackCredit } from '../credit/ledger.ts';
import { heldStockShipped, releaseHold } from '../catalog/stock.ts';

/** Order `reserved`: the warehouse has the lines. */
export async function recordReserved(db: Database, orderId: OrderId): Promise<TransitionOutcome> {
  return transitionAlone(
    db,
    { orderId, type: 'order.reserved', to: 'reserved', endsAttention: true },
    Prisma.sql`, with_reservations AS (
      UPDATE reservations SET status = 'reserved', updated_at = now() FROM moved
      WHERE order_id = moved.id AND status = 'held')`,
  );
}

/** The order's units are released and available again. */
export async function recordStockReleased(db: Database, orderId: OrderId): Promise<void> {
  await orderTransaction(db, orderId, async (tx) => {
    if (await releaseHold(tx, orderId)) {
      await transitionOrder(tx, { orderId, type: 'order.stock_released' });
    }
  });
}

/** The warehouse accepted the request; its answer follows by callback. */
export async function recordShipmentAccepted(db: Database, orderId: OrderId): Promise<void> {
  await transitionAlone(db, {
    orderId,
    type: 'order.shipment_requested',
    data: { shipment_correlation_id: shipmentCorrelationId(orderId) },
  });
}

/** The warehouse refused to ship, or the request was cancelled before the parcel left. */
export async function recordShipmentEnded(
  db: Database,
  orderId: OrderId,
  status: 'refused' | 'cancelled',
): Promise<void> {
  await orderTransaction(db, orderId, async (tx) => {
    const ended = await tx.$executeRaw`
      UPDATE shipments SET status = ${status}, answered_at = now()
      WHERE order_id = ${orderId} AND status = 'requested'`;
    if (ended === 1 && status === 'cancelled') {
      await transitionOrder(tx, { orderId, type: 'order.shipment_cancelled' });
    }
  });
}

/** Order `shipped`: tracking number recorded, units removed from stock. */
export async function recordShipped(
  db: Database,
  orderId: OrderId,
  parcel: { readonly carrier: string; readonly trackingNumber: string },
): Promise<TransitionOutcome> {
  const { carrier, trackingNumber } = parcel;
  const term = trackingTerm(trackingNumber);
  return transitionAlone(
    db,
    {
      orderId,
      type: 'order.shipped',
      to: 'shipped',
      endsAttention: true,
      data: { carrier, tracking_number: trackingNumber },
      causationId: shipmentCorrelationId(orderId),
    },
    Prisma.sql`, with_shipment AS (
      UPDATE shipments SET status = 'shipped', carrier = ${carrier},
        tracking_number = ${trackingNumber}, answered_at = now()
      FROM moved WHERE order_id = moved.id),
    with_term AS (
      INSERT INTO order_terms (order_id, term) SELECT id, ${term} FROM moved WHERE ${term} <> ''
      ON CONFLICT DO NOTHING)
    ${heldStockShipped()}`,
  );
}

/** Order `cancelling`: only compensated from now on. `request` is the event's cause. */
export async function recordCancelling(
  db: Database,
  orderId: OrderId,
  cancel: {
    readonly reason: CancelReason;
    readonly request: string | null;
    /** Who cancelled it, if the request does not say so. */
    readonly actor?: string | null;
  },
): Promise<TransitionOutcome> {
  const { reason, request, actor = null } = cancel;
  return transitionAlone(db, {
    orderId,
    type: 'order.cancelling',
    to: 'cancelling',
    endsAttention: true,
    cancelReason: reason,
    data: { reason, ...(actor !== null && { actor }) },
    ...(request !== null && { causationId: request }),
  });
}

/**
 * Order `cancelled`, its store credit given back, with no stock held: a release that a person did manually
 * is recorded here.
 */
export async function recordCancelled(
  db: Database,
  orderId: OrderId,
  reason: CancelReason,
): Promise<TransitionOutcome> {
  return orderTransaction(db, orderId, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.cancelled',
      to: 'cancelled',
      endsAttention: true,
      cancelReason: reason,
      data: { reason },
    });
    if (change.kind === 'changed') {
      await giveBackCredit(tx, orderId);
      await releaseHold(tx, orderId);
      await recordDisputedMoneyLeft(tx, orderId);
    }
    return change;
  });
}

/** The customer was notified, or could not be. */
export async function recordNotification(
  db: Database,
  orderId: OrderId,
  outcome: { readonly notification: Notification; readonly failure: string | null },
): Promise<void> {
  const { notification, failure } = outcome;
  if (failure !== null) return recordNotificationFailed(db, orderId, { notification, failure });
  const type = 'order.customer_notified';
  await transitionAlone(
    db,
    { orderId, type, dedupKey: `${type}/${notification}`, data: notificationData(notification) },
    Prisma.sql`, with_dead_letter AS (
      UPDATE dead_letters SET status = 'resolved', decided_at = COALESCE(decided_at, now())
      WHERE source = 'notification' AND subject = ${notification} AND order_id = ${orderId}
        AND event_id IS NULL AND status IN ('open', 'redriven'))`,
  );
}

async function recordNotificationFailed(
  db: Database,
  orderId: OrderId,
  { notification, failure }: { readonly notification: Notification; readonly failure: string },
): Promise<void> {
  const type = 'order.notification_failed';
  await orderTransaction(db, orderId, async (tx) => {
    const dedupKey = `${type}/${notification}`;
    await transitionOrder(tx, {
      orderId,
      type,
      dedupKey,
      data: { ...notificationData(notification), failure },
    });
    await recordStepDeadLetter(tx, orderId, {
      source: 'notification',
      step: notificationStep(notification),
      subject: notification,
      failure,
    });
  });
}

/** The channel is in the data, so that no subscriber has to read it from the name. */
function notificationData(notification: Notification) {
  return { notification, channel: smsKindOf(notification) === null ? 'email' : 'sms' };
}
