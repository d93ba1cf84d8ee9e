/** Stock at the warehouse: reserve, and its compensation, release. */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { reduceOrder } from '../../domain/partial-order.ts';
import type { Units } from '../../gateways/warehouse/warehouse.ts';
import { recordPartReserved } from '../../prisma/orders/record-part.ts';
import { recordReserved, recordStockReleased } from '../../prisma/orders/record-steps.ts';
import type { Activities, ReserveStockOutcome } from '../../workflows/activities.ts';
import { requireOrder, type ActivityDependencies } from './dependencies.ts';
import { providerFailure, requireChanged } from '../failures.ts';
import { requireCheckout } from './admission.ts';
import { withAuthorizationCheck } from './authorization-expiry.ts';

type InventoryActivities = Pick<Activities, 'reserveStock' | 'releaseStock'>;

export function createInventoryActivities(deps: ActivityDependencies): InventoryActivities {
  const { db, warehouse } = deps;
  return {
    reserveStock({ orderId }) {
      const step = { orderId, name: 'reserve' };
      return withAuthorizationCheck(db, step, () => reserve(deps, orderId));
    },

    async releaseStock({ orderId }) {
      const outcome = await warehouse.release({ key: providerKey(orderId, 'release'), orderId });
      if (outcome.kind !== 'released') throw providerFailure('release', outcome);
      await recordStockReleased(db, orderId);
    },
  };
}

async function reserve(deps: ActivityDependencies, orderId: OrderId): Promise<ReserveStockOutcome> {
  const { db, warehouse } = deps;
  const order = await requireOrder(db, orderId);
  requireCheckout(orderId, order.status);
  const outcome = await warehouse.reserve({
    key: providerKey(orderId, 'reserve'),
    orderId,
    lines: order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
    partial: order.fulfillment === 'ship_available',
  });
  switch (outcome.kind) {
    case 'reserved':
      if (outcome.lines !== undefined) return recordPart(deps, order, outcome.lines);
      requireChanged(orderId, await recordReserved(db, orderId));
      return { kind: 'reserved' };
    case 'refused':
      return { kind: 'refused', reason: outcome.reason };
    case 'unavailable':
    case 'unknown':
      throw providerFailure('reserve', outcome);
  }
}

/** What costs less than the card can be charged is not sent: the order is cancelled like one of nothing. */
async function recordPart(
  { db, payments }: ActivityDependencies,
  order: Order,
  lines: readonly Units[],
): Promise<ReserveStockOutcome> {
  const part = reduceOrder(order, lines, payments.limitsOf(order.currency));
  if (part === null) return { kind: 'refused', reason: 'too_little_available' };
  requireChanged(order.id, await recordPartReserved(db, order.id, part));
  return { kind: 'reserved' };
}
