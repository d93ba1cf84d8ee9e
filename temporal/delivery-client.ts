/**
 * Starts the workflows of subscriptions, deliveries and notifications. Every start is safe to repeat:
 * the workflow id is derived from the input, so two runs never exist at the same time.
 */
import type { Client } from '@temporalio/client';
import {
  DELIVERY_WORKFLOW,
  deliveryStartOptions,
  NOTIFICATION_WORKFLOW,
  notificationStartOptions,
  SUBSCRIPTION_WORKFLOW,
  subscriptionStartOptions,
  type DeliveryInput,
  type NotificationInput,
} from '../workflows/events/contract.ts';
import { createTemporalDeadline, type Unavailable } from './deadline.ts';

export type DeliveryStart = { readonly kind: 'started' } | Unavailable;

export interface DeliveryClient {
  /** Starts the workflow of a subscription unless it is running. */
  ensureSubscriptionRuns(name: string): Promise<DeliveryStart>;
  /** Starts the delivery of one event. A redrive replaces a run that waits for its next attempt. */
  startDelivery(input: DeliveryInput): Promise<DeliveryStart>;
  /** Starts a notification to the customer unless it is running. */
  startNotification(input: NotificationInput): Promise<DeliveryStart>;
}

const START_DEADLINE_MS = 5_000;

export function createDeliveryClient(options: {
  readonly client: () => Client | null;
}): DeliveryClient {
  const withDeadline = createTemporalDeadline(options.client);
  const start = (call: (client: Client) => Promise<unknown>): Promise<DeliveryStart> =>
    withDeadline(START_DEADLINE_MS, async (client) => {
      await call(client);
      return { kind: 'started' };
    });
  return {
    ensureSubscriptionRuns: (subscription) =>
      start(({ workflow }) =>
        workflow.start(SUBSCRIPTION_WORKFLOW, subscriptionStartOptions({ subscription })),
      ),
    startDelivery: (input) =>
      start(({ workflow }) => workflow.start(DELIVERY_WORKFLOW, deliveryStartOptions(input))),
    startNotification: (input) =>
      start(({ workflow }) =>
        workflow.start(NOTIFICATION_WORKFLOW, notificationStartOptions(input)),
      ),
  };
}
