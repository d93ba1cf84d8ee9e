/** All activities of the worker, made from their dependencies. */
import type { Activities } from './contract.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { createInventoryActivities } from './inventory.ts';
import { createNotificationActivities } from './notification.ts';
import { createOrderActivities } from './orders.ts';
import { createPaymentActivities } from './payment.ts';
import { createShipmentActivities } from './shipment.ts';

export type { ActivityDependencies } from './dependencies.ts';

export function createActivities(deps: ActivityDependencies): Activities {
  return {
    ...createInventoryActivities(deps),
    ...createPaymentActivities(deps),
    ...createShipmentActivities(deps),
    ...createOrderActivities(deps),
    ...createNotificationActivities(deps),
  };
}
