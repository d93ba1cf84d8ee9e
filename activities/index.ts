/** The activities of the checkout worker. */
import { log } from '@temporalio/activity';
import type { Database } from '../prisma/client/client.ts';
import type { Activities } from '../workflows/activities.ts';
import type { ActivityDependencies } from './checkout/dependencies.ts';
import { countFailedAttempt } from './checkout/failed-attempts.ts';
import { unexpected } from './failures.ts';
import { createInventoryActivities } from './checkout/inventory.ts';
import { createNotificationActivities } from './checkout/notification.ts';
import { createOrderActivities } from './checkout/order.ts';
import { createPaymentActivities } from './checkout/payment.ts';
import { createRefundActivities } from './checkout/refund.ts';
import { createShipmentActivities } from './checkout/shipment.ts';

export type { ActivityDependencies } from './checkout/dependencies.ts';

export function createActivities(deps: ActivityDependencies): Activities {
  return withoutDetails(deps.db, {
    ...createInventoryActivities(deps),
    ...createPaymentActivities(deps),
    ...createRefundActivities(deps),
    ...createShipmentActivities(deps),
    ...createOrderActivities(deps),
    ...createNotificationActivities(deps),
  });
}

/** Counts a failed attempt, logs an unexpected fault, and passes only its kind to Temporal. */
function withoutDetails(db: Database, activities: Activities): Activities {
  const guarded = Object.entries(activities).map(([name, activity]) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      try {
        return await activity(...args);
      } catch (error) {
        log.debug('activity failed', { activity: name, error });
        const failure = unexpected(name, error);
        await countFailedAttempt(db, { activity: name, input: args[0], failure, error });
        throw failure;
      }
    },
  ]);
  return Object.fromEntries(guarded);
}
