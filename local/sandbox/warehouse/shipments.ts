/**
 * Parcels. A request is accepted at once; the parcel leaves later and only then the shop is told,
 * by signed callback. A cancel leaves a mark: a request after it is refused.
 */
import { createHash } from 'node:crypto';
import type { Answer } from '../calls.ts';
import type { Faults } from '../faults.ts';
import type { Journal, Table } from '../journal.ts';
import { createSerialQueue } from '../serial-queue.ts';
import type { Ledger } from '../ledger.ts';
import { notFound, refusal } from './responses.ts';
import type { Callbacks } from './callbacks.ts';
import { shipmentSchema } from './records.ts';
import type { Shipment, ShipRequest } from './records.ts';
import type { Reservations, WarehouseStep } from './reservations.ts';

export interface Shipments {
  ship(request: ShipRequest, step: WarehouseStep): Answer;
  cancel(correlationId: string, step: WarehouseStep): Answer;
  look(correlationId: string): Answer;
  /** The order's parcel. */
  findOfOrder(orderId: string): Shipment | undefined;
  close(): Promise<void>;
}

export interface ShipmentDeps {
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly faults: Faults;
  readonly reservations: Reservations;
  readonly callbacks: Callbacks;
  /** How long a parcel takes to leave. */
  readonly callbackDelayMs: number;
}

const MAX_SHIPMENTS = 100_000;
const MAX_LEAVING = 16;
const CARRIER = 'Sandbox Parcel';
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;

export function createShipments(deps: ShipmentDeps): Shipments {
  const rows = deps.journal.table({ name: 'shipments', row: shipmentSchema, limit: MAX_SHIPMENTS });
  const queue = createSerialQueue({
    maxParallel: MAX_LEAVING,
    work: async (correlationId) => leave(deps, rows, correlationId),
  });
  for (const shipment of rows.values()) {
    if (shipment.state === 'requested') queue.add(shipment.correlation_id, shipment.leaves_at_ms);
  }
  return {
    ship: (request, step) => {
      const known = rows.get(request.correlation_id);
      if (known !== undefined) return repeated(known);
      if (deps.reservations.isReleased(request.order_id)) return refusal('released');
      const shipment = requested(request, Date.now() + deps.callbackDelayMs);
      if (step.refused) {
        const reason = 'not_shippable';
        rows.set(shipment.correlation_id, { ...shipment, state: 'refused', reason });
        return refusal(reason);
      }
      rows.set(shipment.correlation_id, shipment);
      record(deps.ledger, 'ship', { shipment, key: step.key });
      queue.add(shipment.correlation_id, shipment.leaves_at_ms);
      return accepted(shipment);
    },
    cancel: (correlationId, step) => cancel(deps.ledger, rows, { correlationId, step }),
    look: (correlationId) => {
      const shipment = rows.get(correlationId);
      return shipment === undefined
        ? notFound()
        : { status: 200, body: view(shipment), keep: true };
    },
    // The shop names its requests after its orders; others are found the long way.
    findOfOrder: (orderId) =>
      rows.get(`${orderId}.ship`) ?? [...rows.values()].find((each) => each.order_id === orderId),
    close: () => queue.close(),
  };
}

/** The parcel goes out of the door, unless it was cancelled meanwhile. */
function leave(deps: ShipmentDeps, rows: Table<Shipment>, correlationId: string): void {
  const shipment = rows.get(correlationId);
  if (shipment?.state !== 'requested') return;
  deps.journal.transact(() => {
    const refused = deps.faults.strike(CALLBACK, ['refuse']) !== null;
    const next: Shipment = refused
      ? { ...shipment, state: 'refused', reason: 'damaged' }
      : { ...shipment, state: 'shipped', ...parcelOf(correlationId) };
    rows.set(correlationId, next);
    deps.callbacks.announce(next);
  });
}

function cancel(
  ledger: Ledger,
  rows: Table<Shipment>,
  wish: { readonly correlationId: string; readonly step: WarehouseStep },
): Answer {
  const { correlationId, step } = wish;
  const known = rows.get(correlationId);
  if (known?.state === 'shipped') return alreadyShipped(known);
  if (known?.state !== 'cancelled') {
    if (step.refused) return { ...refusal('not_now'), keep: false };
    rows.set(correlationId, cancelled(correlationId, known));
    if (known?.state === 'requested') record(ledger, 'cancel', { shipment: known, key: step.key });
  }
  return { status: 200, body: { correlation_id: correlationId, state: 'cancelled' }, keep: true };
}

function requested(request: ShipRequest, leavesAtMs: number): Shipment {
  return {
    correlation_id: request.correlation_id,
    order_id: request.order_id,
    state: 'requested',
    callback_url: request.callback_url,
    leaves_at_ms: leavesAtMs,
  };
}

function cancelled(correlationId: string, known: Shipment | undefined): Shipment {
  return {
    correlation_id: correlationId,
    order_id: known?.order_id ?? null,
    state: 'cancelled',
    leaves_at_ms: known?.leaves_at_ms ?? 0,
  };
}

/** The same parcel asked for under another key: one parcel, the answer it has by now. */
function repeated(known: Shipment): Answer {
  if (known.state === 'cancelled') return refusal('cancelled');
  if (known.state === 'refused') return refusal(known.reason ?? 'not_shippable');
  return accepted(known);
}

function accepted(shipment: Shipment): Answer {
  const body = { correlation_id: shipment.correlation_id, state: 'requested' };
  return { status: 202, body, keep: true };
}

function alreadyShipped(shipment: Shipment): Answer {
  const { carrier, tracking_number } = shipment;
  return { status: 409, body: { code: 'already_shipped', carrier, tracking_number }, keep: false };
}

function view(shipment: Shipment): object {
  const { correlation_id, order_id, state, carrier, tracking_number, reason } = shipment;
  return { correlation_id, order_id, state, carrier, tracking_number, reason };
}

function record(
  ledger: Ledger,
  operation: 'ship' | 'cancel',
  effect: { readonly shipment: Shipment; readonly key: string | null },
): void {
  const { correlation_id, order_id } = effect.shipment;
  ledger.record({ key: effect.key ?? correlation_id, operation, order_id });
}

function parcelOf(correlationId: string): { carrier: string; tracking_number: string } {
  const digest = createHash('sha256').update(correlationId).digest('hex');
  return { carrier: CARRIER, tracking_number: `SP${digest.slice(0, 12).toUpperCase()}` };
}
