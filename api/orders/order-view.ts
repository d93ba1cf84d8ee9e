/**
 * An order with its payment, shipment, refunds and timeline: one state, read in one snapshot of the
 * database. Only the tracking comes from elsewhere. When it fails or is too slow it is null with a
 * warning, because the rest is still useful.
 */
import { TaskCancelledError, timeout, TimeoutStrategy } from 'cockatiel';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { Order, OrderStatus } from '../../domain/order.ts';
import type { Shipment } from '../../domain/shipment.ts';
import type { ShipmentState, WarehouseGateway } from '../../gateways/warehouse/warehouse.ts';
import { findRetriedSteps } from '../../prisma/orders/retried-steps.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import { inSnapshot, type Database } from '../../prisma/client/client.ts';
import { findOrder, findShipment, listOrderEvents } from '../../prisma/orders/orders.ts';
import { findPaymentWait } from '../../prisma/orders/payment-actions.ts';
import { listCases } from '../../prisma/payments/cases.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { caseBody } from './case-view.ts';
import { attentionBody, troubleBody } from './attention-view.ts';
import { orderBody, paymentBody, refundEntryBody } from './representations.ts';
import { timelineView } from './timeline.ts';
import type { OrderView } from '../schemas/orders.ts';

export interface OrderViewDeps {
  readonly db: Database;
  readonly warehouse: WarehouseGateway;
}

const TRACKING_DEADLINE_MS = 1_000;
/** An order has a few dozen events. This bounds the worst case. */
export const MAX_EVENTS = 500;
/** In these statuses the warehouse may have newer information. */
const TRACKED: readonly OrderStatus[] = ['paid', 'shipped', 'cancelling', 'needs_attention'];

/** Null when there is no such order. Never fails because of the warehouse. */
export async function viewOrder(
  { db, warehouse }: OrderViewDeps,
  id: OrderId,
  reader: { readonly isOperator: boolean },
): Promise<OrderView | null> {
  const { types, entry } = timelineView(reader);
  const found = await inSnapshot(db, async (tx) => {
    const order = await findOrder(tx, id);
    if (order === null) return null;
    return {
      order,
      payment: await findPayment(tx, id),
      wait: order.status === 'pending' ? await findPaymentWait(tx, id) : null,
      cases: reader.isOperator ? await listCases(tx, id) : [],
      shipment: await findShipment(tx, id),
      refunds: await listRefunds(tx, id),
      timeline: await listOrderEvents(tx, id, { limit: MAX_EVENTS, types }),
      attention:
        reader.isOperator && order.status === 'needs_attention'
          ? await findAttention(tx, id)
          : null,
      trouble: reader.isOperator ? await findRetriedSteps(tx, id) : [],
    };
  });
  if (found === null) return null;
  const { order, payment, shipment, attention } = found;
  const { tracking, warnings } = await readTracking(warehouse, order);
  return {
    ...orderBody(order),
    attention_step: reader.isOperator ? order.attentionStep : null,
    payment: payment && {
      ...paymentBody(payment, found.wait),
      disputed_minor: payment.disputedMinor,
      cases: found.cases.map((each) => caseBody(each, order)),
    },
    shipment: shipment && shipmentBody(shipment, tracking),
    refunds: found.refunds.map(refundEntryBody),
    timeline: found.timeline.map(entry),
    attention: attention && attentionBody(attention),
    trouble: found.trouble.map(troubleBody),
    warnings,
  };
}

const trackingDeadline = timeout(TRACKING_DEADLINE_MS, TimeoutStrategy.Aggressive);

async function readTracking(
  warehouse: WarehouseGateway,
  order: Order,
): Promise<{ readonly tracking: ShipmentState | null; readonly warnings: OrderView['warnings'] }> {
  try {
    const tracking = await trackingDeadline.execute(() => track(warehouse, order));
    return { tracking, warnings: [] };
  } catch (error) {
    // The metrics of the warehouse show the cause.
    const detail =
      error instanceof TaskCancelledError
        ? 'Timed out. Read the order again later.'
        : 'Currently unavailable. Read the order again later.';
    return { tracking: null, warnings: [{ part: 'tracking', detail }] };
  }
}

/**
 * Null when there is nothing to track, or the person was erased, to whom it leads. Throws when the
 * warehouse does not respond.
 */
async function track(warehouse: WarehouseGateway, order: Order): Promise<ShipmentState | null> {
  if (!TRACKED.includes(order.status) || order.erasedAt !== null) return null;
  const correlationId = shipmentCorrelationId(order.id);
  const found = await warehouse.lookUpShipment({ correlationId });
  if (found.kind === 'unknown' || found.kind === 'unavailable') throw new Error(found.kind);
  return found;
}

function shipmentBody(
  shipment: Shipment,
  tracking: ShipmentState | null,
): NonNullable<OrderView['shipment']> {
  return {
    status: shipment.status,
    carrier: shipment.carrier,
    tracking_number: shipment.trackingNumber,
    requested_at: shipment.requestedAt,
    answered_at: shipment.answeredAt,
    tracking: tracking && {
      state: tracking.kind,
      carrier: tracking.kind === 'shipped' ? tracking.carrier : null,
      tracking_number: tracking.kind === 'shipped' ? tracking.trackingNumber : null,
    },
  };
}
