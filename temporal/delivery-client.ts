/**
 * The delivery workflows over Temporal's client. Every start has a deadline and is safe to repeat:
 * the workflow's id is what it is about, so there is never a second one at a time.
 */
import type { Client } from '@temporalio/client';
import {
  DELIVERY_WORKFLOW,
  deliveryStartOptions,
  NOTIFICATION_WORKFLOW,
  notificationStartOptions,
  SUBSCRIPTION_WORKFLOW,
  subscriptionStartOptions,
} from '../workflows/events/contract.ts';
import { createTemporalDeadline } from './deadline.ts';
import type { DeliveryClient, DeliveryStart } from './delivery-workflows.ts';

const START_DEADLINE_MS = 5_000;

/** `client` is null while there is no connection yet. */
export function createDeliveryClient(options: {
  readonly client: () => Client | null;
}): DeliveryClient {
  const withDeadline = createTemporalDeadline(options.client);
  const started = async (start: (client: Client) => Promise<unknown>): Promise<DeliveryStart> => {
    const answered = await withDeadline(START_DEADLINE_MS, async (client) => {
      await start(client);
      return { kind: 'started' } as const;
    });
    return answered ?? { kind: 'unavailable' };
  };
  return {
    ensureSubscriptionRuns: (subscription) =>
      started(({ workflow }) =>
        workflow.start(SUBSCRIPTION_WORKFLOW, subscriptionStartOptions({ subscription })),
      ),
    startDelivery: (input) =>
      started(({ workflow }) => workflow.start(DELIVERY_WORKFLOW, deliveryStartOptions(input))),
    startNotification: (input) =>
      started(({ workflow }) =>
        workflow.start(NOTIFICATION_WORKFLOW, notificationStartOptions(input)),
      ),
  };
}
