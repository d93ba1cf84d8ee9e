/** Makes new ids: typeid, i.e. a UUIDv7 behind a prefix, so ids sort by the time they were made. */
import { typeid } from 'typeid-js';
import {
  ID_PREFIX,
  type CustomerId,
  type OrderId,
  type PaymentId,
  type RefundId,
  type ShipmentId,
} from '../domain/ids.ts';
import { trusted } from './trusted.ts';

interface Ids {
  readonly order: OrderId;
  readonly payment: PaymentId;
  readonly shipment: ShipmentId;
  readonly refund: RefundId;
  readonly customer: CustomerId;
  readonly deadLetter: string;
  readonly webhookEndpoint: string;
  readonly reconciliation: string;
  readonly difference: string;
}

/** A new id of the given kind, e.g. `newId('order')` gives `ord_01...`. */
export function newId<K extends keyof Ids>(kind: K): Ids[K] {
  return trusted<Ids[K]>(typeid(ID_PREFIX[kind]).toString());
}
