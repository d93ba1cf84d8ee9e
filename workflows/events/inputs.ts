/** What the workflows of events and notifications accept. */
import { isNotification, type Notification } from '../../domain/ids.ts';
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
  (value): value is Notification => typeof value === 'string' && isNotification(value),
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
