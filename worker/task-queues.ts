/** The workers of one process: of the task queues of checkouts, of events and of jobs. */
import type { Logger } from 'pino';
import { createEventActivities } from '../activities/events/events.ts';
import { createActivities, type ActivityDependencies } from '../activities/index.ts';
import type { JobDependencies } from '../activities/jobs/job-type.ts';
import { createJobActivities } from '../activities/jobs/jobs.ts';
import { createJobRecordActivities } from '../activities/jobs/records.ts';
import type { CaseName, SweepDependencies } from '../activities/operations/dependencies.ts';
import { createReconcileActivities } from '../activities/operations/reconcile.ts';
import { createSweepActivities } from '../activities/operations/sweep.ts';
import {
  createSubscriberLookup,
  createSubscribers,
} from '../activities/events/subscribers/registry.ts';
import type { OrderResponses } from '../services/end-unpaid.ts';
import { startAndMark } from '../services/checkout-starter.ts';
import { expireOrder } from '../services/expire-order.ts';
import { followCase } from '../services/payment-cases.ts';
import { startJobAndMark } from '../services/job-starter.ts';
import { startRefundAndMark } from '../services/refund-starter.ts';
import { createCheckoutClient, type CheckoutClient } from '../temporal/checkout-client.ts';
import { requireAvailable, requireStarted } from '../temporal/deadline.ts';
import { createDeliveryClient, type DeliveryClient } from '../temporal/delivery-client.ts';
import { createJobClient, type JobClient } from '../temporal/job-client.ts';
import { createRefundClient, type RefundClient } from '../temporal/refund-client.ts';
import { isTextDue } from '../activities/checkout/sms.ts';
import type { Delivery } from '../domain/delivery.ts';
import type { OrderId } from '../domain/ids.ts';
import type { Order } from '../domain/order.ts';
import type { Retention } from '../domain/retention.ts';
import type { SmsSender } from '../gateways/sms/sms-sender.ts';
import type { WebhookSender } from '../gateways/webhooks/sender.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import type { SecretCipher } from '../prisma/client/secret-cipher.ts';
import type { JobStart } from '../prisma/jobs/job-status.ts';
import type { CheckoutStart } from '../prisma/orders/orders.ts';
import type { RefundStart } from '../prisma/payments/refunds.ts';
import { keepSchedules } from './schedules.ts';
import { keepSubscriptionsRunning } from './subscriptions.ts';
import type { TemporalLink } from '../temporal/connection.ts';
import { startWorker } from './worker.ts';
import { TASK_QUEUE } from '../workflows/checkout/contract.ts';
import { EVENTS_TASK_QUEUE, type NotificationInput } from '../workflows/events/contract.ts';
import { JOBS_TASK_QUEUE } from '../workflows/jobs/contract.ts';

export interface WorkersOptions extends ActivityDependencies {
  /** A separate pool, so that pumps and subscribers do not queue behind checkouts. */
  readonly eventsDb: Database;
  readonly link: TemporalLink;
  readonly notifications: Notifications;
  readonly webhooks: WebhookSender;
  readonly cipher: SecretCipher;
  readonly workflowBundle: string | undefined;
  /** The address of the API, for links to the console. */
  readonly publicUrl: string;
  readonly retention: Retention;
  /** True: the customer of an order that expired unconfirmed is notified. */
  readonly notifyExpired: boolean;
  /** What is stored for an order that the sweep settles, by the rules of the API. */
  readonly responses: OrderResponses;
  /** What jobs do by the rules of the API. */
  readonly jobWork: Omit<JobDependencies, 'db'>;
  readonly log: Logger;
}

const CHECKOUT_ACTIVITIES = 100;
/** The pump of each subscription occupies a slot while it runs, so this also bounds endpoints. */
const EVENT_ACTIVITIES = 500;
/** Jobs that run at once. Each reads and writes as fast as the database lets it, so few are enough. */
const JOB_ACTIVITIES = 2;

/** Starts polling once Temporal is connected. `stop` lets running activities finish. */
export function startWorkers(options: WorkersOptions): { stop(): Promise<void> } {
  const { db, eventsDb, sms, link, log, workflowBundle, publicUrl } = options;
  const stopping = new AbortController();
  const stops = { stopping: stopping.signal };
  const { client } = link;
  const checkouts = createCheckoutClient({ client, eagerStart: false, publicUrl });
  const deliveries = createDeliveryClient({ client });
  const refunds = createRefundClient({ client, publicUrl });
  const jobs = createJobClient({ client });
  const starters = createStarters({ db: eventsDb, sms, checkouts, refunds, deliveries });
  const { webhooks: sender, cipher, notifyExpired } = options;
  const subscriberDeps = { db: eventsDb, sender, cipher, notifyExpired, ...starters };
  const subscribers = createSubscribers(subscriberDeps);
  const activities = createActivities(options);
  const eventActivities = createEventActivities({
    db: eventsDb,
    notifications: options.notifications,
    subscriberOf: createSubscriberLookup(subscriberDeps, subscribers),
    ...stops,
    startDelivery: (delivery: Delivery) => requireStarted(deliveries.startDelivery(delivery)),
  });
  const operationActivities = createOperationActivities(options, { checkouts, refunds, jobs });
  const common = { connected: link.connected, namespace: link.namespace, workflowBundle, log };
  const checkout = startWorker({
    ...common,
    taskQueue: TASK_QUEUE,
    activities,
    maxConcurrentActivities: CHECKOUT_ACTIVITIES,
  });
  const parts = [
    checkout,
    startWorker({
      ...common,
      // Orders wait for their worker, events can: side by side both would start later.
      after: checkout.attempted,
      taskQueue: EVENTS_TASK_QUEUE,
      activities: { ...activities, ...eventActivities, ...operationActivities },
      maxConcurrentActivities: EVENT_ACTIVITIES,
    }),
    startWorker({
      ...common,
      after: checkout.attempted,
      workflowBundle: null,
      taskQueue: JOBS_TASK_QUEUE,
      activities: createJobActivities({ ...options.jobWork, db: eventsDb, ...stops }),
      maxConcurrentActivities: JOB_ACTIVITIES,
    }),
    keepSubscriptionsRunning({ db, deliveries, subscribers, log }),
    keepSchedules({ client, log, timeZone: options.shop.timeZone }),
  ];
  return {
    async stop() {
      stopping.abort();
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}

/** The activities of sweeps, reconciliations, and of what is recorded about jobs. */
function createOperationActivities(
  options: WorkersOptions,
  clients: Pick<SweepDependencies, 'refunds'> & {
    readonly checkouts: CheckoutClient;
    readonly jobs: JobClient;
  },
) {
  const { db, shop } = options;
  const { jobs } = clients;
  const operations = {
    ...options,
    ...clients,
    expireOrder: (order: Order) => expireOrder(options, order),
    followCase: (named: CaseName) => followCase({ ...options, ...clients }, named),
  };
  return {
    ...createSweepActivities(operations),
    ...createReconcileActivities(operations),
    ...createJobRecordActivities({
      ...options,
      timeZone: shop.timeZone,
      startJob: (job: JobStart) => requireAvailable(startJobAndMark({ db, jobs }, job)),
    }),
  };
}

/** Starts of workflows, which throw when Temporal is unavailable, so that the activity is repeated. */
function createStarters(deps: {
  readonly db: Database;
  readonly sms: SmsSender | null;
  readonly checkouts: CheckoutClient;
  readonly refunds: RefundClient;
  readonly deliveries: DeliveryClient;
}) {
  return {
    startNotification: (input: NotificationInput) =>
      requireStarted(deps.deliveries.startNotification(input)),
    isTextDue: (orderId: OrderId) => isTextDue(deps, orderId),
    startCheckout: (order: CheckoutStart) => requireAvailable(startAndMark(deps, order)),
    startRefund: (refund: RefundStart) => requireAvailable(startRefundAndMark(deps, refund)),
  };
}
