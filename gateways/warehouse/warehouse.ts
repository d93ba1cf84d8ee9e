/**
 * The warehouse as the shop needs it. Shipping is asynchronous request-reply: `ship` is accepted at
 * once, and a signed callback with the correlation id reports its outcome later. HTTP contract:
 * docs/warehouse-contract.md.
 */
import type { OrderId } from '../../domain/ids.ts';
import type { OrderLine, ShippingAddress } from '../../domain/order.ts';
import type { BreakerView, NoResponse, UnreadableRecord } from '../resilience/outcome.ts';

/** Units of a product. */
export type Units = Pick<OrderLine, 'sku' | 'quantity'>;

interface Goods {
  readonly key: string;
  readonly orderId: OrderId;
  /** Each SKU once. */
  readonly lines: readonly Units[];
}

export interface ReserveRequest extends Goods {
  /** True: what there is of the lines is reserved, rather than nothing unless there is all of it. */
  readonly partial?: boolean;
}

interface ReleaseRequest {
  readonly key: string;
  readonly orderId: OrderId;
}

export interface ShipRequest extends Goods {
  readonly correlationId: string;
  readonly callbackUrl: string;
  readonly recipient: { readonly name: string; readonly address: ShippingAddress };
}

export type ReserveOutcome =
  /** `lines`: what is reserved, when that is less than was asked for; never nothing. */
  | { readonly kind: 'reserved'; readonly lines?: readonly Units[] }
  | { readonly kind: 'refused'; readonly reason: string }
  | NoResponse;

export type ReleaseOutcome = { readonly kind: 'released' } | NoResponse;

export type ShipOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string }
  | NoResponse;

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
  | NoResponse;

/** The warehouse's record of one order. */
export interface WarehouseRecord {
  readonly orderId: string;
  readonly reservation: 'reserved' | 'released' | null;
  readonly lines: readonly Units[];
  readonly shipment: 'requested' | 'shipped' | 'refused' | 'cancelled' | null;
  /** ISO 8601, by the warehouse's clock. */
  readonly createdAt: string;
}

/** `not_offered`: this warehouse has no such call, and its records are not reconciled. */
export type RecordsPage =
  | {
      readonly kind: 'page';
      readonly records: readonly WarehouseRecord[];
      readonly unreadable: readonly UnreadableRecord[];
      readonly next: string | null;
    }
  | { readonly kind: 'not_offered' }
  | NoResponse;

export type RecordLookup =
  | { readonly kind: 'found'; readonly record: WarehouseRecord }
  | { readonly kind: 'absent' }
  | NoResponse;

export interface WarehouseGateway {
  reserve(request: ReserveRequest): Promise<ReserveOutcome>;
  /** Allowed before, after and instead of a reserve: a later reserve of the order is refused. */
  release(request: ReleaseRequest): Promise<ReleaseOutcome>;
  ship(request: ShipRequest): Promise<ShipOutcome>;
  /** Allowed before a ship: a later ship with the correlation id is refused. */
  cancelShipment(request: { readonly correlationId: string }): Promise<CancelOutcome>;
  lookUpShipment(request: { readonly correlationId: string }): Promise<ShipmentState | NoResponse>;
  /** All orders first seen in a time window (ISO 8601, `to` exclusive), page by page. */
  listRecords(window: {
    readonly from: string;
    readonly to: string;
    readonly after: string | null;
  }): Promise<RecordsPage>;
  lookUpRecord(request: { readonly orderId: string }): Promise<RecordLookup>;
  breakers(): readonly BreakerView[];
}
