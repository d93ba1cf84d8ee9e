/** Creates ids: typeid, i.e. a UUIDv7 behind a prefix, so ids sort by their creation time. */
import { createHash } from 'node:crypto';
import { typeid, TypeID } from 'typeid-js';
import {
  ID_PREFIX,
  type CustomerId,
  type JobId,
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
  readonly quote: string;
  readonly creditEntry: string;
  readonly apiKey: string;
  readonly deadLetter: string;
  readonly redrive: string;
  readonly webhookEndpoint: string;
  readonly reconciliation: string;
  readonly discrepancy: string;
  readonly report: JobId;
  readonly import: JobId;
  readonly bulk: JobId;
}

/** An id has 48 bits of time: until the year 10889. */
const MAX_ID_TIME_MS = 2 ** 48 - 1;

/** A new id of the given kind, e.g. `newId('order')` gives `ord_01...`. */
export function newId<K extends keyof Ids>(kind: K): Ids[K] {
  return uncheckedColumn<Ids[K]>(typeid(ID_PREFIX[kind]).toString());
}

/** An id has its time from a process's clock, its row from the database's: what they may differ by. */
const CLOCK_SKEW_MS = 10 * 60_000;

/**
 * Below every id of rows created from `fromMs` on. Ids have an index in the order of their creation, so
 * the rows of a time need no index of their own.
 */
export function idBefore(kind: keyof Ids, fromMs: number): string {
  return lowestIdAt(kind, fromMs - CLOCK_SKEW_MS);
}

/** Above every id of rows created before `toMs`. */
export function idAfter(kind: keyof Ids, toMs: number): string {
  return lowestIdAt(kind, toMs + CLOCK_SKEW_MS);
}

/** Below every id that a process made at `atMs` or later, by its own clock. */
export function lowestIdAt(kind: keyof Ids, atMs: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.min(Math.max(atMs, 0), MAX_ID_TIME_MS), 0, 6);
  return TypeID.fromUUIDBytes(ID_PREFIX[kind], bytes).toString();
}

/** The id of work that `by` began at a time: equal for each repeat, and in order with other ids. */
export function idBegunAt<K extends keyof Ids>(kind: K, atMs: number, by: string): Ids[K] {
  const bytes = createHash('sha256').update(by).digest().subarray(0, 16);
  bytes.writeUIntBE(atMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uncheckedColumn<Ids[K]>(TypeID.fromUUIDBytes(ID_PREFIX[kind], bytes).toString());
}
