/** What the warehouse accepts and stores. Recipients are not stored. */
import { z } from 'zod';

const text = z.string().min(1).max(200);
const line = z.object({ sku: text, quantity: z.int().min(1).max(1_000_000) });
const lines = z.array(line).min(1).max(500);

export const reserveSchema = z.object({ order_id: text, lines, partial: z.boolean().optional() });

export const shipSchema = z.object({
  order_id: text,
  correlation_id: text,
  callback_url: z.url({ protocol: /^https?$/ }).max(2000),
  lines,
  recipient: z.object({
    name: text,
    address: z.object({
      line1: text,
      line2: text.nullish(),
      city: text,
      region: text.nullish(),
      postal_code: text.nullish(),
      country: text,
    }),
  }),
});
export type ReserveRequest = z.output<typeof reserveSchema>;
export type ShipRequest = z.output<typeof shipSchema>;

export const reservationSchema = z.object({
  order_id: z.string(),
  state: z.enum(['reserved', 'released']),
  lines: z.array(line).default([]),
  created_at_ms: z.number().default(0),
});
export type Reservation = Readonly<z.output<typeof reservationSchema>>;

export const shipmentSchema = z.object({
  correlation_id: z.string(),
  /** Null when it was cancelled before it was requested. */
  order_id: z.string().nullable(),
  state: z.enum(['requested', 'shipped', 'refused', 'cancelled']),
  carrier: z.string().optional(),
  tracking_number: z.string().optional(),
  reason: z.string().optional(),
  callback_url: z.string().optional(),
  leaves_at_ms: z.number(),
});
export type Shipment = Readonly<z.output<typeof shipmentSchema>>;
