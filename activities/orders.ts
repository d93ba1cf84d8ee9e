/** Turns in an order's life that have no provider behind them. */
import { findHoldLeft } from '../prisma/attention.ts';
import {
  recordCancelled,
  recordCancelling,
  recordNeedsAttention,
  recordResolved,
} from '../prisma/fulfilment.ts';
import { findShipment } from '../prisma/orders.ts';
import { findBooks } from '../prisma/stopped.ts';
import type { Activities } from './contract.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { requireChanged } from './failures.ts';

type OrderActivities = Pick<
  Activities,
  'recordCancelling' | 'recordCancelled' | 'recordNeedsAttention' | 'recordResolved'
>;

export function createOrderActivities({ db }: ActivityDependencies): OrderActivities {
  return {
    async recordCancelling({ orderId, reason, request = null }) {
      requireChanged(orderId, await recordCancelling(db, orderId, { reason, request }));
      const books = await findBooks(db, orderId);
      const shipment = await findShipment(db, orderId);
      return {
        shipmentRequested: shipment?.status === 'requested',
        reason: books?.cancelReason ?? reason,
      };
    },
    async recordCancelled({ orderId, reason }) {
      requireChanged(orderId, await recordCancelled(db, orderId, reason));
    },
    async recordNeedsAttention({ orderId, steps, failure }) {
      requireChanged(orderId, await recordNeedsAttention(db, orderId, { steps, failure }));
      return { holdLeftAtStartMs: await findHoldLeft(db, orderId) };
    },
    async recordResolved({ orderId, ...resolved }) {
      requireChanged(orderId, await recordResolved(db, orderId, resolved));
    },
  };
}
