/**
 * Keeps the subscriptions' workflows running: one per row, the built-in subscribers' rows among
 * them. Starting a running one changes nothing, so every process may do it.
 */
import { setTimeout } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { Subscriber } from '../activities/events/subscribers/subscriber.ts';
import type { Database } from '../prisma/client/client.ts';
import { cursorNow, LOG_START } from '../prisma/events/event-log.ts';
import { ensureSubscription, listSubscriptionNames } from '../prisma/events/subscriptions.ts';
import { SUBSCRIPTION_WORKFLOW, subscriptionStartOptions } from '../workflows/events/contract.ts';

export interface SubscriptionsOptions {
  readonly db: Database;
  /** Null while there is no connection to Temporal. */
  readonly client: () => Client | null;
  readonly subscribers: readonly Subscriber[];
  readonly log: Logger;
}

/** Also finds the subscriptions that were added while Temporal was away. */
const EVERY_MS = 10_000;
/** Looks until none is taken for running any more: somebody may have ended one by hand. */
const LOOK_ANEW_EVERY = 30;
const START_DEADLINE_MS = 5_000;

/** Begins at once and looks again every few seconds. `stop` waits for the look under way. */
export function keepSubscriptionsRunning(options: SubscriptionsOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const running = lookForEver(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function lookForEver(options: SubscriptionsOptions, signal: AbortSignal): Promise<void> {
  const known = new Set<string>();
  for (let look = 0; !signal.aborted; look += 1) {
    if (look % LOOK_ANEW_EVERY === 0) known.clear();
    try {
      await startMissing(options, known);
    } catch (error) {
      known.clear();
      options.log.debug({ err: error }, 'subscriptions not started yet');
    }
    await setTimeout(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Starts what is not known to run; a workflow that runs needs no second look by this process. */
async function startMissing(
  { db, client: current, subscribers }: SubscriptionsOptions,
  known: Set<string>,
): Promise<void> {
  for (const subscriber of subscribers) await ensureBuiltIn(db, subscriber);
  const client = current();
  if (client === null) return;
  for (const subscription of await listSubscriptionNames(db)) {
    if (known.has(subscription)) continue;
    await client.withDeadline(Date.now() + START_DEADLINE_MS, () =>
      client.workflow.start(SUBSCRIPTION_WORKFLOW, subscriptionStartOptions({ subscription })),
    );
    known.add(subscription);
  }
}

async function ensureBuiltIn(db: Database, { name, types, startsAt }: Subscriber): Promise<void> {
  const cursor = startsAt === 'beginning' ? LOG_START : await cursorNow(db);
  await ensureSubscription(db, { name, types, cursor });
}
