/**
 * One order with everything beside it. The parts are read side by side; a part that is down or late
 * is null with a warning, because the rest is still worth seeing.
 */
import { setTimeout } from 'node:timers/promises';
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

/** A reader waits no longer than this for any part. */
const PART_DEADLINE_MS = 1_000;
/** An order has some dozen events; this only bounds the worst. */
export const MAX_EVENTS = 500;
/** While these last, the warehouse may know more than we do. */
const TRACKED: readonly OrderStatus[] = ['paid', 'shipped', 'cancelling', 'needs_attention'];

type Warning = OrderView['warnings'][number];

/** Reads what belongs to the order. Never fails because of a part. */
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
  return async <T>(name: string, work: Promise<T>): Promise<T | null> => {
    const giveUp = new AbortController();
    const late = setTimeout(PART_DEADLINE_MS, 'late' as const, { signal: giveUp.signal });
    late.catch(() => undefined);
    try {
      const first = await Promise.race([work.then((value) => ({ value })), late]);
      if (first !== 'late') return first.value;
      warnings.push({ part: name, detail: 'It took too long to answer.' });
    } catch {
      // The reader is told that the part is missing; why is in the metrics of whoever failed.
      warnings.push({ part: name, detail: 'It cannot be read at the moment.' });
    } finally {
      giveUp.abort();
    }
    return null;
  };
}

/** Null when there is nothing to ask. Throws when the warehouse gives no answer. */
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
