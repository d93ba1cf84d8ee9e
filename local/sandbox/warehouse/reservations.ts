/** Reserved lines per order, out of what the warehouse has. A release is recorded even before a reserve, which is then refused. */
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import type { Journal } from '../journal.ts';
import type { Ledger } from '../ledger.ts';
import { refusal } from './responses.ts';
import { reservationSchema } from './records.ts';
import type { Reservation, ReserveRequest } from './records.ts';
import type { WarehouseStock } from './stock.ts';

export interface Reservations {
  reserve(request: ReserveRequest, step: WarehouseStep): ProviderResponse;
  release(orderId: string, step: WarehouseStep): ProviderResponse;
  isReleased(orderId: string): boolean;
  find(orderId: string): Reservation | undefined;
  /** In the order they were first seen. */
  all(): readonly Reservation[];
}

export interface WarehouseStep {
  readonly key: string | null;
  /** A fault demands the business refusal. */
  readonly refused: boolean;
}

const MAX_RESERVATIONS = 100_000;

export function createReservations(
  journal: Journal,
  { ledger, stock }: { readonly ledger: Ledger; readonly stock: WarehouseStock },
): Reservations {
  const rows = journal.table({
    name: 'reservations',
    row: reservationSchema,
    limit: MAX_RESERVATIONS,
  });

  function move(operation: 'reserve' | 'release', key: string | null, next: Reservation): void {
    rows.set(next.order_id, next);
    ledger.record({ key: key ?? next.order_id, operation, order_id: next.order_id });
  }

  return {
    reserve: (request, { key, refused }) => {
      const orderId = request.order_id;
      const known = rows.get(orderId);
      if (known?.state === 'released') return refusal('released');
      if (known === undefined) {
        if (refused) return refusal('not_available');
        const lines = stock.take(request);
        if (lines === null) return refusal('not_available');
        const created_at_ms = Date.now();
        move('reserve', key, { order_id: orderId, state: 'reserved', lines, created_at_ms });
      }
      const lines = rows.get(orderId)?.lines ?? [];
      return ok({ order_id: orderId, state: 'reserved', ...(request.partial && { lines }) }, 201);
    },
    release: (orderId, { key, refused }) => {
      const known = rows.get(orderId);
      if (known?.state !== 'released') {
        if (refused) return { ...refusal('not_now'), replayable: false };
        const mark = { order_id: orderId, lines: [], created_at_ms: Date.now() };
        const next: Reservation = { ...(known ?? mark), state: 'released' };
        if (known === undefined) rows.set(orderId, next);
        else {
          stock.giveBack(known.lines);
          move('release', key, next);
        }
      }
      return ok({ order_id: orderId, state: 'released' });
    },
    find: (orderId) => rows.get(orderId),
    all: () => [...rows.values()],
    isReleased: (orderId) => rows.get(orderId)?.state === 'released',
  };
}
