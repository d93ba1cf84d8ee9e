/** Turns rows into domain types. */
import type { CustomerId, OrderId, PaymentId, ShipmentId } from '../../domain/ids.ts';
import { toLanguage } from '../../domain/language.ts';
import {
  chargeOf,
  type Adjustment,
  type EventType,
  type Order,
  type OrderEvent,
  type OrderLine,
} from '../../domain/order.ts';
import type { Payment } from '../../domain/payment.ts';
import type { Shipment } from '../../domain/shipment.ts';
import type { Prisma } from '../generated/client.ts';
import { readAddress, readObject, uncheckedColumn } from './columns.ts';

/** What a whole order is read with. */
export const ORDER_WITH_LINES = {
  lines: { orderBy: { position: 'asc' } },
  adjustments: { orderBy: { position: 'asc' } },
} as const;

/** The columns that an order is read from. */
export type OrderRow = Omit<
  Prisma.OrderGetPayload<object>,
  'deadlineAt' | 'placedAt' | 'workflowStartedAt' | 'checkedAt'
> & {
  readonly lines: readonly (Omit<OrderLine, 'reservedQuantity'> & {
    readonly reservedQuantity: number | null;
  })[];
  readonly adjustments: readonly Adjustment[];
};
/** What a payment is read with. */
export const PAYMENT_WITH_DUE = {
  order: { select: { totalMinor: true, creditMinor: true, dueMinor: true } },
} as const;
type PaymentRow = Prisma.PaymentGetPayload<{ include: typeof PAYMENT_WITH_DUE }>;
type ShipmentRow = Prisma.ShipmentGetPayload<object>;
type EventRow = Prisma.EventGetPayload<object>;

export function toOrder(row: OrderRow): Order {
  return {
    id: uncheckedColumn<OrderId>(row.id),
    status: row.status,
    version: row.version,
    currency: row.currency,
    totalMinor: row.totalMinor,
    creditMinor: row.creditMinor,
    fulfillment: row.fulfillment,
    dueMinor: row.dueMinor,
    lines: row.lines.map(({ sku, name, quantity, unitPriceMinor, reservedQuantity }) => ({
      sku,
      name,
      quantity,
      unitPriceMinor,
      ...(reservedQuantity !== null && { reservedQuantity }),
    })),
    adjustments: row.adjustments.map(({ kind, label, amountMinor }) => ({
      kind,
      label,
      amountMinor,
    })),
    customer: {
      id: uncheckedColumn<CustomerId>(row.customerId),
      email: row.customerEmail,
      name: row.customerName,
      phone: row.customerPhone,
      language: toLanguage(row.customerLanguage),
      smsConsent: row.customerSmsConsent,
    },
    shippingAddress: readAddress(row.shippingAddress),
    correlationId: row.correlationId,
    traceparent: row.traceparent,
    inspectable: row.inspectable,
    cancelReason: row.cancelReason,
    attentionStep: row.attentionStep,
    erasedAt: row.erasedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

export function toPayment(row: PaymentRow): Payment {
  return {
    id: uncheckedColumn<PaymentId>(row.id),
    orderId: uncheckedColumn<OrderId>(row.orderId),
    status: row.status,
    amountMinor: row.amountMinor,
    dueMinor: chargeOf(row.order).cardMinor,
    creditMinor: row.creditMinor,
    capturedMinor: row.capturedMinor,
    refundedMinor: row.refundedMinor,
    refundingMinor: row.refundingMinor,
    creditedMinor: row.creditedMinor,
    creditingMinor: row.creditingMinor,
    disputedMinor: row.disputedMinor,
    currency: row.currency,
    paymentMethod: row.paymentMethod,
    providerReference: row.providerReference,
    declineCode: row.declineCode,
    captureBefore: row.captureBefore?.toISOString() ?? null,
    capturedManually: row.capturedManually,
    createdAt: row.createdAt.toISOString(),
  };
}

export function toShipment(row: ShipmentRow): Shipment {
  return {
    id: uncheckedColumn<ShipmentId>(row.id),
    orderId: uncheckedColumn<OrderId>(row.orderId),
    status: row.status,
    correlationId: row.correlationId,
    carrier: row.carrier,
    trackingNumber: row.trackingNumber,
    requestedAt: row.requestedAt.toISOString(),
    answeredAt: row.answeredAt?.toISOString() ?? null,
  };
}

export function toEvent(row: EventRow): OrderEvent {
  return {
    id: row.id,
    type: uncheckedColumn<EventType>(row.type),
    orderId: uncheckedColumn<OrderId>(row.orderId),
    seq: row.seq,
    correlationId: row.correlationId,
    causationId: row.causationId,
    traceparent: row.traceparent,
    data: readObject(row.data),
    time: row.time.toISOString(),
  };
}
