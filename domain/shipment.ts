/** The shipment of an order. */
import type { OrderId, ShipmentId } from './ids.ts';

export type ShipmentStatus = 'requested' | 'shipped' | 'refused' | 'cancelled';

/** The carrier of an order that an operator shipped without the warehouse. */
export const MANUAL_CARRIER = 'arranged manually';

export interface Shipment {
  readonly id: ShipmentId;
  readonly orderId: OrderId;
  readonly status: ShipmentStatus;
  readonly correlationId: string;
  readonly carrier: string | null;
  readonly trackingNumber: string | null;
  readonly requestedAt: string;
  readonly answeredAt: string | null;
}
