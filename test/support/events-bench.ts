/** Event delivery for tests: a real database and log, a real worker on the events queue. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { createEventActivities } from '../../activities/events.ts';
import type { Subscriber } from '../../activities/subscribers/subscriber.ts';
import { createNotifications, type Notifications } from '../../prisma/notifications.ts';
import { cursorNow, LOG_START } from '../../prisma/event-log.ts';
import { ensureSubscription } from '../../prisma/subscriptions.ts';
import {
  DELIVERY_WORKFLOW,
  deliveryStartOptions,
  SUBSCRIPTION_WORKFLOW,
  subscriptionStartOptions,
  type DeliveryInput,
  type DeliveryResult,
} from '../../workflows/delivery-contract.ts';
import type { delivery } from '../../workflows/delivery.ts';
import { createProviders, type Providers } from './bench.ts';

export interface EventsBench extends Providers {
  /** Makes the subscriber known, without a subscription of its own. */
  addSubscriber(subscriber: Subscriber): void;
  /** Adds the subscriber and starts its subscription. */
  subscribe(subscriber: Subscriber): Promise<void>;
  /** Ends every subscription. */
  unsubscribeAll(): Promise<void>;
  /** Runs one delivery workflow to its end. `tookMs` is by the server's clock. */
  deliver(input: DeliveryInput): Promise<DeliveryResult & { readonly tookMs: number }>;
  /** Stops the worker and starts another, as a deploy does. */
  replaceWorker(): Promise<void>;
}

export async function createEventsBench(temporal: {
  readonly client: Client;
  readonly connection: NativeConnection;
}): Promise<EventsBench> {
  const providers = await createProviders();
  const { db } = providers;
  const notifications = createNotifications({ url: providers.databaseUrl });
  const taskQueue = `events-${randomUUID()}`;
  const subscribers = new Map<string, Subscriber>();
  const { client } = temporal;
  const open = (): Promise<RunningWorker> =>
    openWorker(temporal.connection, taskQueue, {
      db,
      notifications,
      subscriberOf: (name) => Promise.resolve(subscribers.get(name) ?? null),
      async startDelivery(delivery) {
        const options = { ...deliveryStartOptions(delivery), taskQueue };
        await client.workflow.start(DELIVERY_WORKFLOW, options);
      },
    });
  let current = await open();
  return {
    ...providers,
    addSubscriber: (subscriber) => void subscribers.set(subscriber.name, subscriber),
    async subscribe(subscriber) {
      const { name, types, startsAt } = subscriber;
      subscribers.set(name, subscriber);
      const cursor = startsAt === 'beginning' ? LOG_START : await cursorNow(db);
      await ensureSubscription(db, { name, types, cursor });
      const options = { ...subscriptionStartOptions({ subscription: name }), taskQueue };
      await client.workflow.start(SUBSCRIPTION_WORKFLOW, options);
    },
    async unsubscribeAll() {
      await db.subscription.deleteMany();
    },
    async deliver(input) {
      const handle = await client.workflow.start<typeof delivery>(DELIVERY_WORKFLOW, {
        ...deliveryStartOptions(input),
        taskQueue,
      });
      const result = await handle.result();
      const { startTime, closeTime } = await handle.describe();
      return { ...result, tookMs: (closeTime?.getTime() ?? 0) - startTime.getTime() };
    },
    async replaceWorker() {
      await current.stop();
      current = await open();
    },
    async close() {
      await db.subscription.deleteMany();
      await current.stop();
      await notifications.close();
      await providers.close();
    },
  };
}

interface RunningWorker {
  stop(): Promise<void>;
}

type Made = Omit<Parameters<typeof createEventActivities>[0], 'stopping'> & {
  readonly notifications: Notifications;
};

async function openWorker(
  connection: NativeConnection,
  taskQueue: string,
  made: Made,
): Promise<RunningWorker> {
  const stopping = new AbortController();
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    activities: createEventActivities({ ...made, stopping: stopping.signal }),
  });
  const running = worker.run();
  return {
    async stop() {
      stopping.abort();
      worker.shutdown();
      await running;
    },
  };
}
