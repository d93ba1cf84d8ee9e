/** Mails to the customer. No undo, by design: a mail that fails never undoes an order. */
import { noticeKey, refundOfNotice, type Notice } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { recordNotice } from '../../prisma/orders/record-shipment.ts';
import { wasNotified } from '../../prisma/events/order-timeline.ts';
import { findShipment } from '../../prisma/orders/orders.ts';
import type { Activities } from '../../workflows/activities.ts';
import { requireOrder, requireRefund, type ActivityDependencies } from './dependencies.ts';
import { notAnswered, rejectedRequest } from '../failures.ts';
import { composeEmail, composeRefundEmail, type Email } from './email-templates.ts';

type NotificationActivities = Pick<Activities, 'notifyCustomer' | 'recordNotificationFailed'>;

export function createNotificationActivities(deps: ActivityDependencies): NotificationActivities {
  const { db, mailer } = deps;
  return {
    async notifyCustomer({ orderId, notice }) {
      if (await wasNotified(db, orderId, notice)) return;
      const order = await requireOrder(db, orderId);
      const outcome = await mailer.send({
        messageKey: noticeKey(orderId, notice),
        to: order.customer.email,
        ...(await compose(deps, order, notice)),
      });
      switch (outcome.kind) {
        case 'sent':
          return recordNotice(db, orderId, { notice, failure: null });
        case 'refused':
          throw rejectedRequest('mail', outcome.reason);
        case 'unavailable':
        case 'unknown':
          throw notAnswered('mail', outcome);
      }
    },

    async recordNotificationFailed({ orderId, notice, failure }) {
      await recordNotice(db, orderId, { notice, failure });
    },
  };
}

async function compose({ db }: ActivityDependencies, order: Order, notice: Notice): Promise<Email> {
  switch (notice) {
    case 'confirmed':
    case 'cancelled':
      return composeEmail(order, notice, null);
    case 'shipped':
      return composeEmail(order, notice, await findShipment(db, order.id));
    default: {
      const refundId = refundOfNotice(notice);
      if (refundId === null) throw new TypeError('a notice of no refund');
      return composeRefundEmail(order, await requireRefund(db, refundId));
    }
  }
}
