/** What a process with a worker's role runs: checkouts on one task queue, events on another. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { createEventActivities } from '../activities/events/events.ts';
import { createActivities, type ActivityDependencies } from '../activities/index.ts';
import { createReconcileActivities } from '../activities/operations/reconcile.ts';
import { createSweepActivities } from '../activities/operations/sweep.ts';
import {
  createSubscriberLookup,
  createSubscribers,
} from '../activities/events/subscribers/registry.ts';
import { expireOrder } from '../services/expire-order.ts';
import { createCheckoutClient } from '../temporal/checkout-client.ts';
import { createRefundClient } from '../temporal/refund-client.ts';
import type { Order } from '../domain/order.ts';
import type { WebhookSender } from '../gateways/webhooks/sender.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import type { CheckoutStart } from '../prisma/orders/orders.ts';
import type { RefundStart } from '../prisma/payments/refunds.ts';
import { keepSchedules } from './schedules.ts';
import { keepSubscriptionsRunning } from './subscriptions.ts';
import type { TemporalLink } from '../temporal/connection.ts';
import { startWorker } from './worker.ts';
import {
  CHECKOUT_WORKFLOW,
  checkoutStartOptions,
  TASK_QUEUE,
} from '../workflows/checkout/contract.ts';
import {
  DELIVERY_WORKFLOW,
  deliveryStartOptions,
  EVENTS_TASK_QUEUE,
} from '../workflows/events/contract.ts';
import { REFUND_WORKFLOW, refundStartOptions } from '../workflows/refund/contract.ts';

export interface WorkersOptions extends ActivityDependencies {
  /** Connections for pumps and subscribers: they stand in no line with the checkouts. */
  readonly eventsDb: Database;
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
  const { db, eventsDb, link, log, workflowBundle } = options;
  const stopping = new AbortController();
  const client = (): Client => connectedClient(link);
  const subscriberDeps = {
    db: eventsDb,
    sender: options.webhooks,
    startCheckout: (order: CheckoutStart) => startCheckout(client(), order),
    startRefund: (refund: RefundStart) => startRefund(client(), refund),
  };
  const subscribers = createSubscribers(subscriberDeps);
  const activities = createActivities(options);
  const eventActivities = createEventActivities({
    db: eventsDb,
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
  const maintenance = {
    db,
    payments: options.payments,
    warehouse: options.warehouse,
    checkouts: createCheckoutClient({ client: link.client, eagerStart: false }),
    refunds: createRefundClient({ client: link.client }),
    expireOrder: (order: Order) => expireOrder(options, order),
  };
  const maintenanceActivities = {
    ...createSweepActivities(maintenance),
    ...createReconcileActivities(maintenance),
  };
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
    activities: { ...activities, ...eventActivities, ...maintenanceActivities },
    maxConcurrentActivities: EVENT_ACTIVITIES,
  });
  const subscriptions = keepSubscriptionsRunning({ db, client: link.client, subscribers, log });
  const schedules = keepSchedules({ client: link.client, log });
  return {
    async stop() {
      stopping.abort();
      const parts = [checkouts, events, subscriptions, schedules];
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}

/** An activity runs, so there is a connection; if it was lost since, the activity is repeated. */
function connectedClient(link: TemporalLink): Client {
  const client = link.client();
  if (client === null) throw new Error('not connected to Temporal');
  return client;
}

function startCheckout(client: Client, order: CheckoutStart): Promise<void> {
  return startOnce(client, () =>
    client.workflow.start(CHECKOUT_WORKFLOW, checkoutStartOptions(order)),
  );
}

function startRefund(client: Client, refund: RefundStart): Promise<void> {
  return startOnce(client, () =>
    client.workflow.start(REFUND_WORKFLOW, refundStartOptions(refund)),
  );
}

async function startOnce(client: Client, start: () => Promise<unknown>): Promise<void> {
  try {
    await client.withDeadline(Date.now() + START_DEADLINE_MS, start);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
