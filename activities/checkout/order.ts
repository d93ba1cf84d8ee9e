/** Status changes of an order that need no provider. */
import { findAttention, findAuthorizationLeft } from '../../prisma/orders/step-attempts.ts';
import { recordCancelled, recordCancelling } from '../../prisma/orders/record-steps.ts';
import type { Shipment } from '../../domain/shipment.ts';
import { findShipment } from '../../prisma/orders/orders.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { recordResolved } from '../../prisma/payments/step-decisions.ts';
import { findCheckoutProgress } from '../../prisma/orders/stuck-orders.ts';
import type { Activities } from '../../workflows/activities.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { requireChanged } from '../failures.ts';

type OrderActivities = Pick<
  Activities,
  'recordCancelling' | 'recordCancelled' | 'recordNeedsAttention' | 'recordResolved'
>;

export function createOrderActivities({ db }: ActivityDependencies): OrderActivities {
  return {
    async recordCancelling({ orderId, reason, request = null, actor = null }) {
      const change = await recordCancelling(db, orderId, { reason, request, actor });
      const shipment = await findShipment(db, orderId);
      // Shipped by a workflow task whose result was lost: the workflow does not know it.
      const shipped = change.kind === 'forbidden' ? parcelOf(shipment) : null;
      if (shipped === null) requireChanged(orderId, change);
      // Cancelled by a workflow task whose result was lost: its reason stays.
      const records = change.kind === 'already' ? await findCheckoutProgress(db, orderId) : null;
      return {
        shipped,
        shipmentRequested: shipment?.status === 'requested',
        reason: records?.cancelReason ?? reason,
        compensated: records?.compensated ?? false,
      };
    },
    async recordCancelled({ orderId, reason }) {
      requireChanged(orderId, await recordCancelled(db, orderId, reason));
    },
    async recordNeedsAttention({ orderId, steps, failure }) {
      requireChanged(orderId, await recordNeedsAttention(db, orderId, { steps, failure }));
      const waiting = (await findAttention(db, orderId))?.steps ?? [];
      return {
        authorizationLeftAtStartMs: await findAuthorizationLeft(db, orderId),
        deadLetters: Object.fromEntries(waiting.map((each) => [each.step, each.deadLetterId])),
      };
    },
    async recordResolved({ orderId, ...resolved }) {
      requireChanged(orderId, await recordResolved(db, orderId, resolved));
    },
  };
}

function parcelOf(shipment: Shipment | null) {
  if (shipment?.status !== 'shipped') return null;
  const { carrier, trackingNumber } = shipment;
  if (carrier === null || trackingNumber === null) return null;
  return { kind: 'shipped', carrier, trackingNumber } as const;
}
