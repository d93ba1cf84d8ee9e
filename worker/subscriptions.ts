/**
 * Keeps one workflow running per subscription, built-in subscribers included. Starting a running
 * workflow changes nothing, so every process may do it.
 */
import type { Logger } from 'pino';
import type { Subscriber } from '../activities/events/subscribers/subscriber.ts';
import type { Database } from '../prisma/client/client.ts';
import { cursorNow, LOG_START } from '../prisma/events/event-log.ts';
import { ensureSubscription, listSubscriptionNames } from '../prisma/events/subscriptions.ts';
import { repeat } from '../services/repeat.ts';
import { requireAvailable } from '../temporal/deadline.ts';
import type { DeliveryClient } from '../temporal/delivery-client.ts';

export interface SubscriptionsOptions {
  readonly db: Database;
  readonly deliveries: DeliveryClient;
  readonly subscribers: readonly Subscriber[];
  readonly log: Logger;
}

/** Bounds the delay of a subscription that was added while Temporal was unavailable. */
const CHECK_EVERY_MS = 10_000;
/** After this many checks every workflow is started again, in case an operator terminated one. */
const CHECKS_UNTIL_RESTART = 30;

/** Starts immediately and checks every few seconds. `stop` waits for the current check. */
export function keepSubscriptionsRunning(options: SubscriptionsOptions): { stop(): Promise<void> } {
  const started = new Set<string>();
  let checks = 0;
  return repeat(CHECK_EVERY_MS, async () => {
    if (checks % CHECKS_UNTIL_RESTART === 0) started.clear();
    checks += 1;
    try {
      await startMissing(options, started);
    } catch (error) {
      started.clear();
      options.log.debug({ err: error }, 'subscriptions not started yet');
    }
    return 'again';
  });
}

/** Starts the workflows that this process has not started yet. */
async function startMissing(
  { db, deliveries, subscribers }: SubscriptionsOptions,
  started: Set<string>,
): Promise<void> {
  for (const subscriber of subscribers) await ensureBuiltIn(db, subscriber);
  for (const name of await listSubscriptionNames(db)) {
    if (started.has(name)) continue;
    await requireAvailable(deliveries.ensureSubscriptionRuns(name));
    started.add(name);
  }
}

async function ensureBuiltIn(db: Database, { name, types, startsAt }: Subscriber): Promise<void> {
  const cursor = startsAt === 'beginning' ? LOG_START : await cursorNow(db);
  await ensureSubscription(db, { name, types, cursor });
}
