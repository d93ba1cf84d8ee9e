/** What a process with a worker's role runs: checkouts on one task queue, events on another. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { createEventActivities } from './activities/events.ts';
import { createActivities, type ActivityDependencies } from './activities/index.ts';
import { createSubscriberLookup, createSubscribers } from './activities/subscribers/registry.ts';
import type { WebhookSender } from './gateways/webhook-sender.ts';
import type { Notifications } from './prisma/notifications.ts';
import type { CheckoutStart } from './prisma/orders.ts';
import { keepSubscriptionsRunning } from './subscriptions.ts';
import type { TemporalLink } from './temporal.ts';
import { startWorker } from './worker.ts';
import { CHECKOUT_WORKFLOW, checkoutStartOptions, TASK_QUEUE } from './workflows/contract.ts';
import {
  DELIVERY_WORKFLOW,
  deliveryStartOptions,
  EVENTS_TASK_QUEUE,
} from './workflows/delivery-contract.ts';

export interface WorkersOptions extends ActivityDependencies {
  readonly link: TemporalLink;
  readonly notifications: Notifications;
  readonly webhooks: WebhookSender;
  readonly workflowBundle: string | undefined;
  readonly log: Logger;
}

const CHECKOUT_ACTIVITIES = 100;
/** Each subscription's pump takes a slot for as long as it runs: this many endpoints per process. */
const EVENT_ACTIVITIES = 500;
const START_DEADLINE_MS = 5_000;

/** Begins when Temporal is there. `stop` lets running activities finish. */
export function startWorkers(options: WorkersOptions): { stop(): Promise<void> } {
  const { db, link, log, workflowBundle } = options;
  const stopping = new AbortController();
  const client = (): Client => connectedClient(link);
  const subscriberDeps = {
    db,
    sender: options.webhooks,
    startCheckout: (order: CheckoutStart) => startCheckout(client(), order),
  };
  const subscribers = createSubscribers(subscriberDeps);
  const activities = createActivities(options);
  const eventActivities = createEventActivities({
    db,
    notifications: options.notifications,
    subscriberOf: createSubscriberLookup(subscriberDeps, subscribers),
    stopping: stopping.signal,
    async startDelivery(delivery) {
      const started = client();
      await started.withDeadline(Date.now() + START_DEADLINE_MS, () =>
        started.workflow.start(DELIVERY_WORKFLOW, deliveryStartOptions(delivery)),
      );
    },
  });
  const common = { connected: link.connected, namespace: link.namespace, workflowBundle, log };
  const checkouts = startWorker({
    ...common,
    taskQueue: TASK_QUEUE,
    activities,
    maxConcurrentActivities: CHECKOUT_ACTIVITIES,
  });
  const events = startWorker({
    ...common,
    taskQueue: EVENTS_TASK_QUEUE,
    activities: { ...activities, ...eventActivities },
    maxConcurrentActivities: EVENT_ACTIVITIES,
  });
  const subscriptions = keepSubscriptionsRunning({ db, client: link.client, subscribers, log });
  return {
    async stop() {
      stopping.abort();
      await Promise.all([checkouts.stop(), events.stop(), subscriptions.stop()]);
    },
  };
}

/** An activity runs, so there is a connection; if it was lost since, the activity is repeated. */
function connectedClient(link: TemporalLink): Client {
  const client = link.client();
  if (client === null) throw new Error('not connected to Temporal');
  return client;
}

async function startCheckout(client: Client, order: CheckoutStart): Promise<void> {
  try {
    await client.withDeadline(Date.now() + START_DEADLINE_MS, () =>
      client.workflow.start(CHECKOUT_WORKFLOW, checkoutStartOptions(order)),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
