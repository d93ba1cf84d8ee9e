/** Reads and writes columns whose type PostgreSQL does not know: branded text, and JSON. */
import { z } from 'zod';
import type { ShippingAddress } from '../../domain/order.ts';
import type { Prisma } from '../generated/client.ts';

/**
 * Narrows stored text to its domain type: an id, an event type. Only this folder writes the column,
 * and it takes the same type.
 */
export function uncheckedColumn<T extends string>(value: string): T;
export function uncheckedColumn<T extends string>(value: string | null): T | null;
export function uncheckedColumn(value: string | null): unknown {
  return value;
}

const shallowObject = z.record(z.string(), z.unknown());
const jsonObject = z.record(z.string(), z.json());
const snapshot = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
const counts = z.record(z.string(), z.number());
const shippingAddress = z.object({
  line1: z.string(),
  line2: z.string().optional(),
  city: z.string(),
  region: z.string().optional(),
  postalCode: z.string().optional(),
  country: z.string(),
});

/** What an event, a message or an audit entry says. Its values are read where they are used. */
export function readObject(column: Prisma.JsonValue): Readonly<Record<string, unknown>> {
  return shallowObject.parse(column);
}

/** One side of a discrepancy. */
export function readSnapshot(column: Prisma.JsonValue): z.infer<typeof snapshot> {
  return snapshot.parse(column);
}

export function readCounts(column: Prisma.JsonValue): Readonly<Record<string, number>> {
  return counts.parse(column);
}

export function readAddress(column: Prisma.JsonValue): ShippingAddress {
  return shippingAddress.parse(column);
}

/** For a column of objects. Throws on a value that JSON cannot hold. */
export function writeObject(value: Readonly<Record<string, unknown>>): Prisma.InputJsonObject {
  return jsonObject.parse(value);
}
