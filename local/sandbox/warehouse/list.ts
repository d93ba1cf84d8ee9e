/** The warehouse's records per order, which the shop reads to compare them with its own. */
import { z } from 'zod';
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import { notFound, problem } from './responses.ts';
import type { Reservation } from './records.ts';
import type { Reservations } from './reservations.ts';
import type { Shipments } from './shipments.ts';

export interface OrderList {
  /** One page of the orders first seen in a time window. */
  list(query: Readonly<Record<string, string>>): ProviderResponse;
  find(orderId: string): ProviderResponse;
}

const querySchema = z.object({
  created_from: z.iso.datetime(),
  created_before: z.iso.datetime(),
  starting_after: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(100),
});

export function createOrderList(reservations: Reservations, shipments: Shipments): OrderList {
  const show = (reservation: Reservation): object => ({
    order_id: reservation.order_id,
    reservation: reservation.state,
    lines: reservation.lines,
    shipment: shipments.findOfOrder(reservation.order_id)?.state ?? null,
    created_at: new Date(reservation.created_at_ms).toISOString(),
  });
  return {
    list: (query) => {
      const parsed = querySchema.safeParse(query);
      if (!parsed.success) return problem(422, 'invalid_request');
      const { created_from, created_before, starting_after, limit } = parsed.data;
      const [from, to] = [Date.parse(created_from), Date.parse(created_before)];
      const known = reservations.all().filter(({ created_at_ms: at }) => at >= from && at < to);
      const start = known.findIndex(({ order_id: id }) => id === starting_after) + 1;
      const data = known.slice(start, start + limit).map(show);
      const has_more = known.length > start + limit;
      return ok({ data, has_more });
    },
    find: (orderId) => {
      const reservation = reservations.find(orderId);
      if (reservation === undefined) return notFound();
      return ok(show(reservation));
    },
  };
}
