/**
 * A shop whose orders are carried out: the API, and workers of the task queues on a real Temporal
 * server. Close it before its Temporal.
 */
import type { WorkflowHandle } from '@temporalio/client';
import type {
  Activities,
  EventActivities,
  ReconcileActivities,
  SweepActivities,
} from '../../workflows/activities.ts';
import type { JobActivities, JobRecordActivities } from '../../workflows/jobs/activities.ts';
import { createEventActivities } from '../../activities/events/events.ts';
import { createActivities } from '../../activities/index.ts';
import type { CaseName } from '../../activities/operations/dependencies.ts';
import { createReconcileActivities } from '../../activities/operations/reconcile.ts';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { createJobActivities } from '../../activities/jobs/jobs.ts';
import { createJobRecordActivities } from '../../activities/jobs/records.ts';
import { createSweepActivities } from '../../activities/operations/sweep.ts';
import { createApp } from '../../api/app.ts';
import { createJobWork } from '../../api/jobs/job-work.ts';
import { expireOrder } from '../../services/expire-order.ts';
import { followCase } from '../../services/payment-cases.ts';
import { startJobAndMark } from '../../services/job-starter.ts';
import { createCheckoutClient } from '../../temporal/checkout-client.ts';
import { requireStarted } from '../../temporal/deadline.ts';
import { createDeliveryClient } from '../../temporal/delivery-client.ts';
import { createJobClient } from '../../temporal/job-client.ts';
import { createRefundClient } from '../../temporal/refund-client.ts';
import { checkoutWorkflowId, isOrderId, type OrderId } from '../../domain/ids.ts';
import type { Order } from '../../domain/order.ts';
import { DEFAULT_RETENTION } from '../../domain/retention.ts';
import { choosePort } from './ports.ts';
import { listen } from '../../api/server.ts';
import type { checkout } from '../../workflows/checkout/checkout.ts';
import { TASK_QUEUE } from '../../workflows/checkout/contract.ts';
import { EVENTS_TASK_QUEUE } from '../../workflows/events/contract.ts';
import { JOBS_TASK_QUEUE } from '../../workflows/jobs/contract.ts';
import type { Line } from './client.ts';
import { expectInvariants } from './invariants.ts';
import { openShop, type Shop, type ShopOptions } from './shop.ts';
import { openWorker, type RunningWorker, type Temporal } from './temporal.ts';

export type CheckoutHandle = WorkflowHandle<typeof checkout>;
export type AllActivities = Activities &
  EventActivities &
  SweepActivities &
  ReconcileActivities &
  JobActivities &
  JobRecordActivities;
const QUEUES = {
  checkouts: TASK_QUEUE,
  events: EVENTS_TASK_QUEUE,
  jobs: JOBS_TASK_QUEUE,
} as const;
type Queue = keyof typeof QUEUES;

export interface RunningShopOptions extends ShopOptions {
  /** The task queues that have a worker from the start: the checkouts' one by default. */
  readonly queues?: readonly Queue[];
  /** Replaces some of the activities. */
  readonly adapt?: (activities: AllActivities) => Partial<AllActivities>;
  /** True: the warehouse's callbacks arrive over HTTP. By default they go nowhere. */
  readonly takesCallbacks?: boolean;
}

export interface RunningShop<T extends Temporal = Temporal> extends Shop {
  readonly temporal: T;
  /** The subscribers of the events queue, by name. */
  readonly subscribers: Map<string, Subscriber>;
  /** Places an order of the canary person; its workflow runs. */
  start(line?: Line): Promise<CheckoutHandle>;
  /** The order's workflow. */
  checkoutOf(orderId: OrderId): CheckoutHandle;
  /** Stops the queue's worker, when there is one. */
  stopWorker(queue: Queue): Promise<void>;
  /** Starts a worker for the queue; `workflowsPath` names other workflows than ours. */
  startWorker(queue: Queue, workflowsPath?: string): Promise<void>;
}

/** The API's address, as workflows link to it. */
export const PUBLIC_URL = 'https://shop.test';
/** No server listens there. */
const NOWHERE = 'http://127.0.0.1:9/callbacks/warehouse';

export async function openRunningShop<T extends Temporal>(
  temporal: T,
  options: RunningShopOptions = {},
): Promise<RunningShop<T>> {
  const client = () => temporal.client;
  const clients = {
    checkouts: createCheckoutClient({ client, publicUrl: PUBLIC_URL, eagerStart: false }),
    refunds: createRefundClient({ client, publicUrl: PUBLIC_URL }),
    deliveries: createDeliveryClient({ client }),
    jobs: createJobClient({ client }),
    ...options.temporal,
  };
  const shop = await openShop({ ...options, temporal: clients });
  const http = options.takesCallbacks ? await serve(shop) : null;
  const subscribers = new Map<string, Subscriber>();
  const workers = new Map<Queue, RunningWorker>();
  const startWorker = async (queue: Queue, workflowsPath?: string): Promise<void> => {
    const stopping = new AbortController();
    const all = activitiesOf({ shop, temporal, subscribers, stopping: stopping.signal, http });
    const worker = await openWorker(temporal, {
      taskQueue: QUEUES[queue],
      activities: { ...all, ...options.adapt?.(all) },
      ...(workflowsPath !== undefined && { workflowsPath }),
    });
    workers.set(queue, {
      async stop() {
        stopping.abort();
        await worker.stop();
      },
    });
  };
  const stopWorker = async (queue: Queue): Promise<void> => {
    await workers.get(queue)?.stop();
    workers.delete(queue);
  };
  for (const queue of options.queues ?? ['checkouts']) await startWorker(queue);
  const checkoutOf = (orderId: OrderId): CheckoutHandle =>
    temporal.client.workflow.getHandle<typeof checkout>(checkoutWorkflowId(orderId));
  return {
    ...shop,
    temporal,
    subscribers,
    checkoutOf,
    startWorker,
    stopWorker,
    start: async (line) => checkoutOf((await shop.order(line)).orderId),
    async close() {
      await shop.db.subscription.deleteMany();
      for (const queue of workers.keys()) await stopWorker(queue);
      try {
        await expectInvariants(shop.db);
      } finally {
        await http?.close();
        await shop.close();
      }
    },
  };
}

/** The order behind a workflow. */
export function orderIdOf({ workflowId }: CheckoutHandle): OrderId {
  const id = workflowId.slice('checkout/'.length);
  if (!isOrderId(id)) throw new Error(`no workflow of an order: ${workflowId}`);
  return id;
}

interface Callbacks {
  readonly url: string;
  close(): Promise<void>;
}

async function serve(shop: Shop): Promise<Callbacks> {
  const [host, port] = ['127.0.0.1', await choosePort()];
  const server = await listen({ fetch: createApp(shop.services).fetch, host, port });
  const url = `http://${host}:${port}/callbacks/warehouse`;
  return { url, close: () => server.close(5_000) };
}

/** Every activity a worker of either queue may be asked for. */
function activitiesOf(made: {
  readonly shop: Shop;
  readonly temporal: Temporal;
  readonly subscribers: ReadonlyMap<string, Subscriber>;
  readonly stopping: AbortSignal;
  readonly http: Callbacks | null;
}): AllActivities {
  const { shop, temporal, subscribers, stopping } = made;
  const { db, gateways, services } = shop;
  const deliveries = createDeliveryClient({ client: () => temporal.client });
  const operations = {
    db,
    retention: DEFAULT_RETENTION,
    ...gateways,
    checkouts: services.checkouts,
    refunds: services.refunds,
    jobs: services.jobs,
    expireOrder: (order: Order) => expireOrder(services, order),
    followCase: (named: CaseName) => followCase(services, named),
  };
  return {
    ...createActivities({ db, ...gateways, warehouseCallbackUrl: made.http?.url ?? NOWHERE }),
    ...createSweepActivities(operations),
    ...createReconcileActivities(operations),
    ...createJobActivities({ ...createJobWork(services), db, stopping }),
    ...createJobRecordActivities({
      db,
      mailer: gateways.mailer,
      cipher: services.cipher,
      publicUrl: PUBLIC_URL,
      timeZone: gateways.shop.timeZone,
      startJob: (job) => startJobAndMark({ db, jobs: services.jobs }, job),
    }),
    ...createEventActivities({
      db,
      notifications: services.notifications,
      subscriberOf: (name) => Promise.resolve(subscribers.get(name) ?? null),
      startDelivery: (delivery) => requireStarted(deliveries.startDelivery(delivery)),
      stopping,
    }),
  };
}
