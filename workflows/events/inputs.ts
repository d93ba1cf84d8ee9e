/** What the workflows of events and notifications accept. */
import { refundOfNotification, type Notification } from '../../domain/ids.ts';
import {
  count,
  leaf,
  line,
  listOf,
  milliseconds,
  nullable,
  object,
  orderId,
  storable,
  time,
} from '../schema.ts';
import type { DeliveryInput, NotificationInput, SubscriptionInput } from './contract.ts';

/** More waits than any retry schedule has. */
const MAX_DELAYS = 50;

const notification = leaf(
  'the name of a notification',
  (value): value is Notification =>
    value === 'confirmed' ||
    value === 'shipped' ||
    value === 'cancelled' ||
    (typeof value === 'string' && refundOfNotification(value) !== null),
);

export const deliveryInput = object<DeliveryInput>({
  subscription: line(255),
  eventId: line(100),
  orderId,
  attempts: count,
  delaysMs: listOf(milliseconds, MAX_DELAYS),
  firstFailedAt: nullable(time),
  error: nullable(storable),
});
export const notificationInput = object<NotificationInput>({ orderId, notification });
export const subscriptionInput = object<SubscriptionInput>({ subscription: line(255) });
