/** Shipping as request-reply: request, look up, cancel. The answer comes by callback, as a signal. */
import { providerKey, shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  recordShipmentHeld,
  recordShipmentRequested,
  type HoldingCase,
} from '../../prisma/orders/request-shipment.ts';
import {
  recordShipmentAccepted,
  recordShipmentEnded,
  recordShipped,
} from '../../prisma/orders/record-steps.ts';
import { findShipment } from '../../prisma/orders/orders.ts';
import { placedToShipped } from '../../telemetry/placed-to-shipped.ts';
import type { Activities, RequestShipmentOutcome } from '../../workflows/activities.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { isTextDue } from './sms.ts';
import { orderNotFound, providerFailure, requireChanged } from '../failures.ts';

type ShipmentActivities = Pick<
  Activities,
  | 'requestShipment'
  | 'lookUpShipment'
  | 'findShipmentRequest'
  | 'cancelShipment'
  | 'recordShipped'
  | 'recordShipmentRefused'
>;

export function createShipmentActivities(deps: ActivityDependencies): ShipmentActivities {
  const { db, warehouse } = deps;
  return {
    requestShipment: ({ orderId }) => requestShipment(deps, orderId),

    async lookUpShipment({ orderId }) {
      const state = await warehouse.lookUpShipment({
        correlationId: shipmentCorrelationId(orderId),
      });
      if (state.kind === 'unavailable' || state.kind === 'unknown') {
        throw providerFailure('shipment look-up', state);
      }
      return state;
    },

    async findShipmentRequest({ orderId }) {
      const shipment = await findShipment(db, orderId);
      return { requested: shipment?.status === 'requested' };
    },

    async cancelShipment({ orderId }) {
      const outcome = await warehouse.cancelShipment({
        correlationId: shipmentCorrelationId(orderId),
      });
      switch (outcome.kind) {
        case 'cancelled':
          await recordShipmentEnded(db, orderId, 'cancelled');
          return outcome;
        case 'already_shipped':
          return outcome;
        case 'unavailable':
        case 'unknown':
          throw providerFailure('cancel shipment', outcome);
      }
    },

    async recordShipped({ orderId, carrier, trackingNumber }) {
      const parcel = { carrier, trackingNumber };
      const change = await recordShipped(db, orderId, parcel);
      if (change.kind === 'changed' && change.placedAt !== null) {
        placedToShipped.observe((Date.parse(change.at) - Date.parse(change.placedAt)) / 1_000);
      }
      requireChanged(orderId, change);
      return (await isTextDue(deps, orderId)) ? { sms: true } : undefined;
    },

    async recordShipmentRefused({ orderId }) {
      await recordShipmentEnded(db, orderId, 'refused');
    },
  };
}

const DAY_MS = 24 * 3_600_000;

/** A case that is closed and speaks against it will not change: a person is asked at once. */
async function hold(
  db: Database,
  orderId: OrderId,
  { heldFor, forMs }: { readonly heldFor: readonly HoldingCase[]; readonly forMs: number },
): Promise<RequestShipmentOutcome> {
  const cases = heldFor.map(({ kind, id }) => `${kind.replace('_', ' ')} ${id}`);
  const heldMs = await recordShipmentHeld(db, orderId, cases);
  const isOpen = heldFor.some((each) => each.isOpen);
  return { kind: 'held', leftMs: isOpen ? Math.max(0, forMs - heldMs) : 0, cases };
}

async function requestShipment(
  { db, warehouse, warehouseCallbackUrl, fraudHoldMs = DAY_MS }: ActivityDependencies,
  orderId: OrderId,
): Promise<RequestShipmentOutcome> {
  const request = await recordShipmentRequested(db, orderId, { isHeld: fraudHoldMs !== null });
  if (request === null) throw orderNotFound(orderId);
  const { isRequested, heldFor, lines, recipient } = request;
  if (heldFor.length > 0) return hold(db, orderId, { heldFor, forMs: fraudHoldMs ?? 0 });
  if (!isRequested) return { kind: 'refused', reason: 'cancelled' };
  const outcome = await warehouse.ship({
    key: providerKey(orderId, 'ship'),
    orderId,
    correlationId: shipmentCorrelationId(orderId),
    callbackUrl: warehouseCallbackUrl,
    lines,
    recipient,
  });
  switch (outcome.kind) {
    case 'accepted':
      await recordShipmentAccepted(db, orderId);
      return { kind: 'requested' };
    case 'refused':
      await recordShipmentEnded(db, orderId, 'refused');
      return { kind: 'refused', reason: outcome.reason };
    case 'unavailable':
    case 'unknown':
      throw providerFailure('ship', outcome);
  }
}
