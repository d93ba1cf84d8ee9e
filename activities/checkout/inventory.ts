/** Stock at the warehouse: reserve, and its compensation, release. */
import { providerKey, type OrderId } from '../../domain/ids.ts';
import { recordReserved, recordStockReleased } from '../../prisma/orders/record-shipment.ts';
import type { Activities, ReserveStockOutcome } from '../../workflows/activities.ts';
import { requireOrder, requirePayment, type ActivityDependencies } from './dependencies.ts';
import { providerFailure, requireChanged } from '../failures.ts';
import { requireCheckout } from './admission.ts';
import { withAuthorizationCheck } from './authorization-expiry.ts';

type InventoryActivities = Pick<Activities, 'reserveStock' | 'releaseStock'>;

export function createInventoryActivities(deps: ActivityDependencies): InventoryActivities {
  const { db, warehouse } = deps;
  return {
    reserveStock({ orderId }) {
      const held = { name: 'reserve', payment: () => requirePayment(db, orderId) };
      return withAuthorizationCheck(held, () => reserve(deps, orderId));
    },

    async releaseStock({ orderId }) {
      const outcome = await warehouse.release({ key: providerKey(orderId, 'release'), orderId });
      if (outcome.kind !== 'released') throw providerFailure('release', outcome);
      await recordStockReleased(db, orderId);
    },
  };
}

async function reserve(
  { db, warehouse }: ActivityDependencies,
  orderId: OrderId,
): Promise<ReserveStockOutcome> {
  const order = await requireOrder(db, orderId);
  requireCheckout(orderId, order.status);
  const outcome = await warehouse.reserve({
    key: providerKey(orderId, 'reserve'),
    orderId,
    lines: order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
  });
  switch (outcome.kind) {
    case 'reserved':
      requireChanged(orderId, await recordReserved(db, orderId));
      return { kind: 'reserved' };
    case 'refused':
      return { kind: 'refused', reason: outcome.reason };
    case 'unavailable':
    case 'unknown':
      throw providerFailure('reserve', outcome);
  }
}
