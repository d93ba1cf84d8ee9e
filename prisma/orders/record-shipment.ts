/**
 * Writes of the checkout's steps: effect, status and event in one transaction each. Times are the
 * database's, hence raw SQL.
 */
import { notificationStep } from '../../domain/attention.ts';
import { shipmentCorrelationId, type Notification, type OrderId } from '../../domain/ids.ts';
import type { CancelReason, Shipment } from '../../domain/order.ts';
import { recordStepDeadLetter } from './step-attempts.ts';
import { transitionOrder, orderTransaction, type TransitionOutcome } from './transition.ts';
import type { Database } from '../client/client.ts';
import { resolveDeadLetter } from '../events/dead-letters.ts';
import { newId } from '../client/ids.ts';
import { toShipment } from '../client/mappers.ts';
import { releaseHold, shipHeldStock } from '../catalog/stock.ts';

/** Order `reserved`: the warehouse has the lines. */
export async function recordReserved(db: Database, orderId: OrderId): Promise<TransitionOutcome> {
  return orderTransaction(db, orderId, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.reserved',
      to: 'reserved',
      endsAttention: true,
    });
    if (change.kind === 'changed') {
      await tx.$executeRaw`
        UPDATE reservations SET status = 'reserved', updated_at = now()
        WHERE order_id = ${orderId} AND status = 'held'`;
    }
    return change;
  });
}

/** The order's units are released and available again. */
export async function recordStockReleased(db: Database, orderId: OrderId): Promise<void> {
  await orderTransaction(db, orderId, async (tx) => {
    if (await releaseHold(tx, orderId)) {
      await transitionOrder(tx, { orderId, type: 'order.stock_released' });
    }
  });
}

/**
 * The shipping request, recorded before the warehouse is called. Null: the order is being cancelled, at
 * whatever stage.
 */
export async function recordShipmentRequested(
  db: Database,
  orderId: OrderId,
): Promise<Shipment | null> {
  return orderTransaction(db, orderId, async (tx) => {
    await tx.$executeRaw`
      INSERT INTO shipments (id, order_id, correlation_id, status)
      SELECT ${newId('shipment')}, id, ${shipmentCorrelationId(orderId)}, 'requested'
      FROM orders WHERE id = ${orderId} AND cancel_reason IS NULL
      ON CONFLICT DO NOTHING`;
    const row = await tx.shipment.findUnique({ where: { orderId } });
    return row && toShipment(row);
  });
}

/** The warehouse accepted the request; its answer follows by callback. */
export async function recordShipmentAccepted(db: Database, orderId: OrderId): Promise<void> {
  await orderTransaction(db, orderId, (tx) =>
    transitionOrder(tx, {
      orderId,
      type: 'order.shipment_requested',
      data: { shipment_correlation_id: shipmentCorrelationId(orderId) },
    }),
  );
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
  return orderTransaction(db, orderId, async (tx) => {
    const change = await transitionOrder(tx, {
      orderId,
      type: 'order.shipped',
      to: 'shipped',
      endsAttention: true,
      data: { carrier: parcel.carrier, tracking_number: parcel.trackingNumber },
      causationId: shipmentCorrelationId(orderId),
    });
    if (change.kind !== 'changed') return change;
    await tx.$executeRaw`
      UPDATE shipments SET status = 'shipped', carrier = ${parcel.carrier},
        tracking_number = ${parcel.trackingNumber}, answered_at = now()
      WHERE order_id = ${orderId}`;
    await shipHeldStock(tx, orderId);
    return change;
  });
}

/** Order `cancelling`: only compensated from now on. `request` is the event's cause. */
export async function recordCancelling(
  db: Database,
  orderId: OrderId,
  cancel: { readonly reason: CancelReason; readonly request: string | null },
): Promise<TransitionOutcome> {
  const { reason, request } = cancel;
  return orderTransaction(db, orderId, (tx) =>
    transitionOrder(tx, {
      orderId,
      type: 'order.cancelling',
      to: 'cancelling',
      endsAttention: true,
      cancelReason: reason,
      data: { reason },
      ...(request !== null && { causationId: request }),
    }),
  );
}

/**
 * Order `cancelled`, with no stock held: a release that a person did manually is recorded here.
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
    if (change.kind === 'changed') await releaseHold(tx, orderId);
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
  const type = failure === null ? 'order.customer_notified' : 'order.notification_failed';
  await orderTransaction(db, orderId, async (tx) => {
    await transitionOrder(tx, {
      orderId,
      type,
      dedupKey: `${type}/${notification}`,
      data: failure === null ? { notification } : { notification, failure },
    });
    if (failure !== null) {
      const step = notificationStep(notification);
      await recordStepDeadLetter(tx, orderId, {
        source: 'notification',
        step,
        subject: notification,
        failure,
      });
    } else {
      const source = 'notification';
      await resolveDeadLetter(tx, { source, subject: notification, orderId, eventId: null });
    }
  });
}
