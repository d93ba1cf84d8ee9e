/** Creates ids: typeid, i.e. a UUIDv7 behind a prefix, so ids sort by their creation time. */
import { createHash } from 'node:crypto';
import { typeid, TypeID } from 'typeid-js';
import {
  ID_PREFIX,
  type CustomerId,
  type OrderId,
  type PaymentId,
  type RefundId,
  type ShipmentId,
} from '../../domain/ids.ts';
import { uncheckedColumn } from './columns.ts';

interface Ids {
  readonly order: OrderId;
  readonly payment: PaymentId;
  readonly shipment: ShipmentId;
  readonly refund: RefundId;
  readonly customer: CustomerId;
  readonly apiKey: string;
  readonly deadLetter: string;
  readonly webhookEndpoint: string;
  readonly reconciliation: string;
  readonly discrepancy: string;
}

/** A new id of the given kind, e.g. `newId('order')` gives `ord_01...`. */
export function newId<K extends keyof Ids>(kind: K): Ids[K] {
  return uncheckedColumn<Ids[K]>(typeid(ID_PREFIX[kind]).toString());
}

/** The id of work that `by` began at a time: equal for each repeat, and in order with other ids. */
export function idBegunAt<K extends keyof Ids>(kind: K, atMs: number, by: string): Ids[K] {
  const bytes = createHash('sha256').update(by).digest().subarray(0, 16);
  bytes.writeUIntBE(atMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uncheckedColumn<Ids[K]>(TypeID.fromUUIDBytes(ID_PREFIX[kind], bytes).toString());
}
