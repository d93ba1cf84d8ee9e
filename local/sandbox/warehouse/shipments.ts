/**
 * Parcels. A request is accepted at once; the parcel leaves later and a signed callback reports it.
 * A cancel is recorded even before the request, which is then refused.
 */
import { createHash } from 'node:crypto';
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import type { Faults } from '../faults.ts';
import type { Journal, Table } from '../journal.ts';
import { createDelayedQueue } from '../delayed-queue.ts';
import type { Ledger } from '../ledger.ts';
import { notFound, refusal } from './responses.ts';
import type { Callbacks } from './callbacks.ts';
import { shipmentSchema } from './records.ts';
import type { Shipment, ShipRequest } from './records.ts';
import type { Reservations, WarehouseStep } from './reservations.ts';

export interface Shipments {
  ship(request: ShipRequest, step: WarehouseStep): ProviderResponse;
  cancel(correlationId: string, step: WarehouseStep): ProviderResponse;
  find(correlationId: string): ProviderResponse;
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
  const queue = createDelayedQueue({
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
    find: (correlationId) => {
      const shipment = rows.get(correlationId);
      return shipment === undefined ? notFound() : ok(view(shipment));
    },
    // The shop derives correlation ids from order ids; others need a scan.
    findOfOrder: (orderId) =>
      rows.get(`${orderId}.ship`) ?? [...rows.values()].find((each) => each.order_id === orderId),
    close: () => queue.close(),
  };
}

/** Ships the parcel, unless it was cancelled meanwhile. */
function leave(deps: ShipmentDeps, rows: Table<Shipment>, correlationId: string): void {
  const shipment = rows.get(correlationId);
  if (shipment?.state !== 'requested') return;
  deps.journal.transact(() => {
    const refused = deps.faults.trigger(CALLBACK, ['refuse']) !== null;
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
  request: { readonly correlationId: string; readonly step: WarehouseStep },
): ProviderResponse {
  const { correlationId, step } = request;
  const known = rows.get(correlationId);
  if (known?.state === 'shipped') return alreadyShipped(known);
  if (known?.state !== 'cancelled') {
    if (step.refused) return { ...refusal('not_now'), replayable: false };
    rows.set(correlationId, cancelled(correlationId, known));
    if (known?.state === 'requested') record(ledger, 'cancel', { shipment: known, key: step.key });
  }
  return ok({ correlation_id: correlationId, state: 'cancelled' });
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

/** A repeat under another key: one parcel, and a response after its present state. */
function repeated(known: Shipment): ProviderResponse {
  if (known.state === 'cancelled') return refusal('cancelled');
  if (known.state === 'refused') return refusal(known.reason ?? 'not_shippable');
  return accepted(known);
}

function accepted(shipment: Shipment): ProviderResponse {
  return ok({ correlation_id: shipment.correlation_id, state: 'requested' }, 202);
}

function alreadyShipped(shipment: Shipment): ProviderResponse {
  const { carrier, tracking_number } = shipment;
  return {
    status: 409,
    body: { code: 'already_shipped', carrier, tracking_number },
    replayable: false,
  };
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
