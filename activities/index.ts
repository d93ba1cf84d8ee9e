/** The activities of the checkout worker. */
import type { Activities } from '../workflows/activities.ts';
import type { ActivityDependencies } from './checkout/dependencies.ts';
import { createAdmissionActivities } from './checkout/admission.ts';
import { clearFailedAttempts, countFailedAttempt } from './checkout/failed-attempts.ts';
import { guarded } from './guarded.ts';
import { createInventoryActivities } from './checkout/inventory.ts';
import { createNotificationActivities } from './checkout/notification.ts';
import { createOrderActivities } from './checkout/order.ts';
import { createPaymentActivities } from './checkout/payment.ts';
import { createRefundActivities } from './checkout/refund.ts';
import { createShipmentActivities } from './checkout/shipment.ts';

export type { ActivityDependencies } from './checkout/dependencies.ts';

export function createActivities(deps: ActivityDependencies): Activities {
  const activities: Activities = {
    ...createAdmissionActivities(deps),
    ...createInventoryActivities(deps),
    ...createPaymentActivities(deps),
    ...createRefundActivities(deps),
    ...createShipmentActivities(deps),
    ...createOrderActivities(deps),
    ...createNotificationActivities(deps),
  };
  return guarded(activities, {
    onSuccess: (attempt) => clearFailedAttempts(deps.db, attempt),
    onFailure: (attempt) => countFailedAttempt(deps.db, attempt),
  });
}
