/** E-mails to the customer. They need no compensation: a failed e-mail never cancels an order. */
import { notificationKey, refundOfNotification, type Notification } from '../../domain/ids.ts';
import { recordNotification } from '../../prisma/orders/record-shipment.ts';
import { findToNotify, type NotifiableOrder } from '../../prisma/orders/orders.ts';
import type { Activities } from '../../workflows/activities.ts';
import { requireRefund, type ActivityDependencies } from './dependencies.ts';
import { orderNotFound, providerFailure, rejectedRequest } from '../failures.ts';
import { composeEmail, type Occasion } from './messages/compose.ts';

type NotificationActivities = Pick<Activities, 'notifyCustomer' | 'recordNotificationFailed'>;

export function createNotificationActivities(deps: ActivityDependencies): NotificationActivities {
  const { db, mailer } = deps;
  return {
    async notifyCustomer({ orderId, notification }) {
      const found = await findToNotify(db, orderId, notification);
      if (!found) throw orderNotFound(orderId);
      // Of an erased order nobody is left to notify.
      if (found.wasNotified || found.order.erasedAt !== null) return;
      const outcome = await mailer.send({
        messageKey: notificationKey(orderId, notification),
        to: found.order.customer.email,
        ...(await composeEmail(
          deps.shop,
          found.order,
          await occasionOf(deps, found, notification),
        )),
      });
      switch (outcome.kind) {
        case 'sent':
          return recordNotification(db, orderId, { notification, failure: null });
        case 'refused':
          throw rejectedRequest('mail', outcome.reason);
        case 'unavailable':
        case 'unknown':
          throw providerFailure('mail', outcome);
      }
    },

    async recordNotificationFailed({ orderId, notification, failure }) {
      await recordNotification(db, orderId, { notification, failure });
    },
  };
}

async function occasionOf(
  { db }: ActivityDependencies,
  { order, shipment }: NotifiableOrder,
  notification: Notification,
): Promise<Occasion> {
  switch (notification) {
    case 'confirmed':
    case 'cancelled':
      return { kind: notification };
    case 'shipped':
      return { kind: notification, shipment };
    default: {
      const refundId = refundOfNotification(notification);
      if (refundId === null) throw new TypeError('the notification is about no refund');
      const refund = await requireRefund(db, { refundId, orderId: order.id });
      return { kind: 'refunded', refund };
    }
  }
}
