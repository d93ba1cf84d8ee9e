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
import type { CancelReason, ShippingAddress } from '../../domain/order.ts';
import type { CaseKind } from '../../domain/payment-case.ts';
import { trackingTerm } from '../../domain/search-terms.ts';
import { holdingCases } from './shipment-hold.ts';
import { recordStepDeadLetter } from './step-attempts.ts';
import {
  orderTransaction,
  transitionAlone,
  transitionOrder,
  type TransitionOutcome,
} from './transition.ts';
import type { Database } from '../client/client.ts';
import { Prisma } from '../generated/client.ts';
import { newId } from '../client/ids.ts';
import { giveBackCredit } from '../credit/ledger.ts';
import { heldStockShipped, releaseHold, type StockRequest } from '../catalog/stock.ts';
import { readAddress } from '../client/columns.ts';

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

/** What the warehouse is to send, and where to. */
export interface ShipmentRequest {
  /** The order is being cancelled, at whatever stage: nothing was recorded. */
  readonly isCancelled: boolean;
  /** The cases that hold the shipment: nothing was recorded. */
  readonly heldFor: readonly HoldingCase[];
  readonly lines: readonly StockRequest[];
  readonly recipient: { readonly name: string; readonly address: ShippingAddress };
}

/** A case of the payment that speaks against shipping. */
export interface HoldingCase {
  readonly kind: CaseKind;
  readonly id: string;
  /** It may still be closed in favor of the shipment. */
  readonly isOpen: boolean;
}

/**
 * Records the shipping request, before the warehouse is called; null when no such order exists. The
 * order's row lock keeps a cancel out; no event is written, so the lock of `orderTransaction` is not
 * needed. A conflict is an update, because only that returns the row of a concurrent attempt: the
 * statement's own snapshot does not have it. An order that is being cancelled has no row in `asked`.
 */
export async function recordShipmentRequested(
  db: Database,
  orderId: OrderId,
  policy: { readonly isHeld: boolean } = { isHeld: true },
): Promise<ShipmentRequest | null> {
  const rows = await db.$queryRaw<ToShip[]>`
    WITH holding AS MATERIALIZED (${policy.isHeld ? holdingCases(orderId) : NO_CASES}),
    kept AS (
      SELECT id FROM orders WHERE id = ${orderId} AND cancel_reason IS NULL
        AND NOT EXISTS (SELECT FROM holding) FOR NO KEY UPDATE),
    asked AS (
      INSERT INTO shipments (id, order_id, correlation_id, status)
      SELECT ${newId('shipment')}, id, ${shipmentCorrelationId(orderId)}, 'requested' FROM kept
      ON CONFLICT (order_id) DO UPDATE SET order_id = EXCLUDED.order_id RETURNING status)
    SELECT customer_name AS name, shipping_address AS address, (
      SELECT jsonb_agg(jsonb_build_object('sku', sku, 'quantity', COALESCE(reserved_quantity, quantity))
        ORDER BY position)
      FROM order_lines WHERE order_id = orders.id AND reserved_quantity IS DISTINCT FROM 0) AS lines,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('kind', kind, 'id', id, 'isOpen', is_open)
        ORDER BY id) FROM holding WHERE cancel_reason IS NULL), '[]') AS "heldFor",
      NOT EXISTS (SELECT FROM asked WHERE status <> 'cancelled') AND NOT EXISTS (
        SELECT FROM shipments WHERE order_id = orders.id AND status <> 'cancelled') AS "isCancelled"
    FROM orders WHERE id = ${orderId}`;
  const [order] = rows;
  if (!order) return null;
  const { isCancelled, heldFor, lines } = order;
  return {
    isCancelled,
    heldFor,
    lines,
    recipient: { name: order.name, address: readAddress(order.address) },
  };
}

const NO_CASES = Prisma.sql`SELECT NULL AS id, NULL AS kind, NULL::boolean AS is_open WHERE false`;

interface ToShip {
  readonly isCancelled: boolean;
  readonly heldFor: readonly HoldingCase[];
  readonly name: string;
  readonly address: Prisma.JsonValue;
  readonly lines: readonly StockRequest[];
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
    { orderId, type, dedupKey: `${type}/${notification}`, data: told(notification) },
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
      data: { ...told(notification), failure },
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
function told(notification: Notification) {
  return { notification, channel: smsKindOf(notification) === null ? 'email' : 'sms' };
}
