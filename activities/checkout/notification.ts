/** Notifies the customer, by e-mail or SMS. That needs no compensation: a failure never cancels an order. */
import {
  notificationKey,
  refundOfNotification,
  smsKindOf,
  type Notification,
} from '../../domain/ids.ts';
import type { SendOutcome } from '../../gateways/mail/mailer.ts';
import { recordNotification } from '../../prisma/orders/record-steps.ts';
import { findToNotify, type NotifiableOrder } from '../../prisma/orders/orders.ts';
import type { Activities } from '../../workflows/activities.ts';
import { requireRefund, type ActivityDependencies } from './dependencies.ts';
import { mailUnconfirmed, orderNotFound, providerFailure, rejectedRequest } from '../failures.ts';
import { composeEmail, type Occasion } from './messages/compose.ts';
import { sendText } from './sms.ts';

type NotificationActivities = Pick<Activities, 'notifyCustomer' | 'recordNotificationFailed'>;

export function createNotificationActivities(deps: ActivityDependencies): NotificationActivities {
  const { db } = deps;
  return {
    async notifyCustomer({ orderId, notification }) {
      const found = await findToNotify(db, orderId, notification);
      if (!found) throw orderNotFound(orderId);
      // An erased order has no customer to notify.
      if (found.wasNotified || found.order.erasedAt !== null) return;
      // A confirmation that waited for the mail server would come after the order was cancelled.
      if (notification === 'confirmed' && found.order.cancelReason !== null) return;
      const smsKind = smsKindOf(notification);
      const channel = smsKind === null ? 'mail' : 'SMS';
      const outcome =
        smsKind === null
          ? await sendMail(deps, found, notification)
          : await sendText(deps, found, smsKind);
      switch (outcome.kind) {
        case 'sent':
          return recordNotification(db, orderId, { notification, failure: null });
        case 'refused':
          throw rejectedRequest(channel, outcome.reason);
        case 'unconfirmed':
          throw mailUnconfirmed(outcome.reason);
        case 'unavailable':
        case 'unknown':
          throw providerFailure(channel, outcome);
      }
    },

    async recordNotificationFailed({ orderId, notification, failure }) {
      await recordNotification(db, orderId, { notification, failure });
    },
  };
}

async function sendMail(
  deps: ActivityDependencies,
  found: NotifiableOrder,
  notification: Notification,
): Promise<SendOutcome> {
  const { id, customer } = found.order;
  const occasion = await occasionOf(deps, found, notification);
  return deps.mailer.send({
    messageKey: notificationKey(id, notification),
    to: customer.email,
    ...(await composeEmail(deps.shop, found.order, occasion)),
  });
}

async function occasionOf(
  { db }: ActivityDependencies,
  { order, shipment }: NotifiableOrder,
  notification: Notification,
): Promise<Occasion> {
  switch (notification) {
    case 'confirmed':
    case 'cancelled':
    case 'expired':
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
