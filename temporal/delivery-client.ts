/**
 * Starts the workflows of subscriptions, deliveries and notifications. Every start is safe to repeat:
 * the workflow id is derived from the input, so two runs never exist at the same time.
 */
import type { Client, WorkflowStartOptions } from '@temporalio/client';
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
import { createTemporalDeadline, type Rejected, type Unavailable } from './deadline.ts';
import { startShown } from './start.ts';

export type DeliveryStart = { readonly kind: 'started' } | Unavailable | Rejected;

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
  const start = <O extends WorkflowStartOptions>(
    type: string,
    options: O,
  ): Promise<DeliveryStart> =>
    withDeadline(START_DEADLINE_MS, async ({ workflow }) => {
      await startShown(options, (shown) => workflow.start(type, shown));
      return { kind: 'started' };
    });
  return {
    ensureSubscriptionRuns: (subscription) =>
      start(SUBSCRIPTION_WORKFLOW, subscriptionStartOptions({ subscription })),
    startDelivery: (input) => start(DELIVERY_WORKFLOW, deliveryStartOptions(input)),
    startNotification: (input) => start(NOTIFICATION_WORKFLOW, notificationStartOptions(input)),
  };
}
