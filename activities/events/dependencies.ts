/** The dependencies of the event activities. */
import type { Delivery } from '../../domain/delivery.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Notifications } from '../../prisma/client/listen.ts';
import type { Subscriber } from './subscribers/subscriber.ts';

export interface EventDependencies {
  readonly db: Database;
  readonly notifications: Notifications;
  /** The subscriber of a subscription, or null when this version has none. */
  subscriberOf(subscription: string): Promise<Subscriber | null>;
  /**
   * Starts the workflow that retries the delivery. Safe to repeat. Throws an OutageError when Temporal
   * is unavailable, another error when it refuses this delivery.
   */
  startDelivery(delivery: Delivery): Promise<void>;
  /** Aborted when this process shuts down: pumps end at once. */
  readonly stopping: AbortSignal;
}
