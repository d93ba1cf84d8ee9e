/** What the event activities are made from. */
import type { Delivery } from '../../domain/delivery.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Notifications } from '../../prisma/client/listen.ts';
import type { Subscriber } from './subscribers/subscriber.ts';

export interface EventDependencies {
  readonly db: Database;
  readonly notifications: Notifications;
  /** The subscriber behind a subscription, or null when this process's code has none. */
  subscriberOf(subscription: string): Promise<Subscriber | null>;
  /** Starts the workflow that goes on trying. Safe to repeat. */
  startDelivery(delivery: Delivery): Promise<void>;
  /** Aborted when this process begins to stop: pumps give up their turn at once. */
  readonly stopping: AbortSignal;
}
