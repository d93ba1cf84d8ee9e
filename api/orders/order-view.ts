/**
 * An order with its payment, shipment, refunds and timeline. The parts are read concurrently. A part
 * that fails or is too slow is null with a warning, because the rest is still useful.
 */
import { TaskCancelledError, timeout, TimeoutStrategy } from 'cockatiel';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import type { Order, OrderStatus, Shipment } from '../../domain/order.ts';
import type { ShipmentState, WarehouseGateway } from '../../gateways/warehouse/warehouse.ts';
import { findAttention } from '../../prisma/orders/step-attempts.ts';
import type { Database } from '../../prisma/client/client.ts';
import { findShipment, listOrderEvents } from '../../prisma/orders/orders.ts';
import { findPayment } from '../../prisma/payments/payments.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import { attentionBody } from './attention-view.ts';
import { orderBody, paymentBody, refundEntryBody, timelineEntryBody } from './representations.ts';
import type { OrderView } from '../schemas/orders.ts';

export interface OrderViewDeps {
  readonly db: Database;
  readonly warehouse: WarehouseGateway;
}

/** The timeout of each part. */
const PART_DEADLINE_MS = 1_000;
/** An order has a few dozen events. This bounds the worst case. */
export const MAX_EVENTS = 500;
/** In these statuses the warehouse may have newer information. */
const TRACKED: readonly OrderStatus[] = ['paid', 'shipped', 'cancelling', 'needs_attention'];

type Warning = OrderView['warnings'][number];

/** Never fails because of a part. */
export async function viewOrder(
  { db, warehouse }: OrderViewDeps,
  order: Order,
  reader: { readonly isOperator: boolean },
): Promise<OrderView> {
  const warnings: Warning[] = [];
  const part = createPartReader(warnings);
  const isWaiting = reader.isOperator && order.status === 'needs_attention';
  const [payment, shipment, tracking, refunds, timeline, attention] = await Promise.all([
    part('payment', findPayment(db, order.id)),
    part('shipment', findShipment(db, order.id)),
    part('tracking', track(warehouse, order)),
    part('refunds', listRefunds(db, order.id)),
    part('timeline', listOrderEvents(db, order.id, MAX_EVENTS)),
    isWaiting ? part('attention', findAttention(db, order.id)) : null,
  ]);
  return {
    ...orderBody(order),
    payment: payment && paymentBody(payment),
    shipment: shipment && shipmentBody(shipment, tracking),
    refunds: refunds && refunds.map(refundEntryBody),
    timeline: timeline && timeline.map(timelineEntryBody),
    attention: attention && attentionBody(attention),
    warnings,
  };
}

function createPartReader(warnings: Warning[]) {
  const deadline = timeout(PART_DEADLINE_MS, TimeoutStrategy.Aggressive);
  return async <T>(name: string, work: Promise<T>): Promise<T | null> => {
    try {
      return await deadline.execute(() => work);
    } catch (error) {
      // The metrics of the failed dependency show the cause.
      const isLate = error instanceof TaskCancelledError;
      const detail = isLate
        ? 'Timed out. Read the order again later.'
        : 'Currently unavailable. Read the order again later.';
      warnings.push({ part: name, detail });
      return null;
    }
  };
}

/** Null when there is nothing to track. Throws when the warehouse does not respond. */
async function track(warehouse: WarehouseGateway, order: Order): Promise<ShipmentState | null> {
  if (!TRACKED.includes(order.status)) return null;
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
