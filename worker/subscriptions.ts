/**
 * Keeps one workflow running per subscription, built-in subscribers included. Starting a running
 * workflow changes nothing, so every process may do it.
 */
import type { Logger } from 'pino';
import type { Subscriber } from '../activities/events/subscribers/subscriber.ts';
import type { Database } from '../prisma/client/client.ts';
import { cursorNow, LOG_START } from '../prisma/events/event-log.ts';
import { ensureSubscription, listSubscriptionNames } from '../prisma/events/subscriptions.ts';
import { itemLoop } from '../services/items.ts';
import { repeat } from '../services/repeat.ts';
import { eachItem } from '../telemetry/items.ts';
import { requireStarted } from '../temporal/deadline.ts';
import type { DeliveryClient } from '../temporal/delivery-client.ts';

export interface SubscriptionsOptions {
  readonly db: Database;
  readonly deliveries: DeliveryClient;
  readonly subscribers: readonly Subscriber[];
  readonly log: Logger;
}

/** An ended workflow, and a subscription that was added during an outage, runs again within 10 s. */
const CHECK_EVERY_MS = 5_000;
const START_CONCURRENCY = 5;

/**
 * Starts immediately and checks every few seconds. `stop` waits for the current check. The built-in
 * subscriptions are written once per process: during a deploy the types of the last version to start
 * stand, and an older process does not take them back.
 */
export function keepSubscriptionsRunning(options: SubscriptionsOptions): { stop(): Promise<void> } {
  let unwritten: readonly Subscriber[] = options.subscribers.filter(({ isOff = false }) => !isOff);
  return repeat(CHECK_EVERY_MS, async () => {
    try {
      unwritten = await writeBuiltIn(options, unwritten);
      await startAll(options);
    } catch (error) {
      options.log.debug({ err: error }, 'subscriptions not started yet');
    }
    return 'again';
  });
}

/** Returns those that could not be written. */
async function writeBuiltIn(
  { db, log }: SubscriptionsOptions,
  subscribers: readonly Subscriber[],
): Promise<readonly Subscriber[]> {
  const loop = itemLoop({ log }, 'ensure_subscriptions', ({ name }: Subscriber) => name);
  const failed = await eachItem(subscribers, loop, (subscriber) => ensureBuiltIn(db, subscriber));
  return failed.map(({ item }) => item);
}

/**
 * Starts the workflow of each subscription. Temporal keeps one that runs as it is, so this also restarts
 * those that an operator terminated. Throws when the database or Temporal is unavailable.
 */
async function startAll({ db, deliveries, log }: SubscriptionsOptions): Promise<void> {
  const running = itemLoop({ log }, 'start_subscriptions', (name: string) => name);
  await eachItem(
    await listSubscriptionNames(db),
    { ...running, concurrency: START_CONCURRENCY },
    (name) => requireStarted(deliveries.ensureSubscriptionRuns(name)),
  );
}

async function ensureBuiltIn(db: Database, { name, types, startsAt }: Subscriber): Promise<void> {
  const cursor = startsAt === 'beginning' ? LOG_START : await cursorNow(db);
  await ensureSubscription(db, { name, types, cursor });
}
