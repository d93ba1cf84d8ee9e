/**
 * The warehouse as the shop needs it. Shipping is request-reply: `ship` is accepted at once and
 * answered later by a signed callback that carries the correlation id. HTTP contract:
 * docs/warehouse-contract.md.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderLine, ShippingAddress } from '../../domain/order.ts';
import type { BreakerView, NoAnswer } from '../resilience/outcome.ts';

export interface ReserveRequest {
  readonly key: string;
  readonly orderId: OrderId;
  readonly lines: readonly Pick<OrderLine, 'sku' | 'quantity'>[];
}

interface ReleaseRequest {
  readonly key: string;
  readonly orderId: OrderId;
}

export interface ShipRequest extends ReserveRequest {
  readonly correlationId: string;
  readonly callbackUrl: string;
  readonly recipient: { readonly name: string; readonly address: ShippingAddress };
}

export type ReserveOutcome =
  { readonly kind: 'reserved' } | { readonly kind: 'refused'; readonly reason: string } | NoAnswer;

export type ReleaseOutcome = { readonly kind: 'released' } | NoAnswer;

export type ShipOutcome =
  { readonly kind: 'accepted' } | { readonly kind: 'refused'; readonly reason: string } | NoAnswer;

export type ShipmentState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'shipped'; readonly carrier: string; readonly trackingNumber: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'absent' };

export type CancelOutcome =
  | { readonly kind: 'cancelled' }
  | {
      readonly kind: 'already_shipped';
      readonly carrier: string;
      readonly trackingNumber: string;
    }
  | NoAnswer;

/** What the warehouse has for one order. */
export interface WarehouseRecord {
  readonly orderId: string;
  readonly reservation: 'reserved' | 'released' | null;
  readonly lines: readonly Pick<OrderLine, 'sku' | 'quantity'>[];
  readonly shipment: 'requested' | 'shipped' | 'refused' | 'cancelled' | null;
  /** ISO 8601, by the warehouse's clock. */
  readonly createdAt: string;
}

/** `not_offered`: this warehouse has no such call, and its books are not compared. */
export type RecordsPage =
  | {
      readonly kind: 'page';
      readonly records: readonly WarehouseRecord[];
      readonly next: string | null;
    }
  | { readonly kind: 'not_offered' }
  | NoAnswer;

export type RecordLookup =
  | { readonly kind: 'found'; readonly record: WarehouseRecord }
  | { readonly kind: 'absent' }
  | NoAnswer;

export interface WarehouseGateway {
  reserve(request: ReserveRequest): Promise<ReserveOutcome>;
  /** Safe before, after and instead of a reserve: a later reserve of the order is refused. */
  release(request: ReleaseRequest): Promise<ReleaseOutcome>;
  ship(request: ShipRequest): Promise<ShipOutcome>;
  /** Safe before a ship: a later ship under the correlation id is refused. */
  cancelShipment(request: { readonly correlationId: string }): Promise<CancelOutcome>;
  lookUpShipment(request: { readonly correlationId: string }): Promise<ShipmentState | NoAnswer>;
  /** All orders the warehouse heard of in a span of time (ISO 8601, `to` exclusive), page by page. */
  listRecords(window: {
    readonly from: string;
    readonly to: string;
    readonly after: string | null;
  }): Promise<RecordsPage>;
  lookUpRecord(request: { readonly orderId: string }): Promise<RecordLookup>;
  breakers(): readonly BreakerView[];
}
