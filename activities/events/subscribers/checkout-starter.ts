/**
 * Starts the workflow of each placed order that has none: the API starts it after its response and
 * does not wait, so the start can be lost with the process or during a Temporal outage (G4).
 */
import { STARTER_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { findUnstarted, markStarted, type CheckoutStart } from '../../../prisma/orders/orders.ts';
import type { Subscriber } from './subscriber.ts';

export interface CheckoutStarterDeps {
  readonly db: Database;
  /** Resolves when the workflow runs or has run; rejects when that is unknown. */
  startCheckout(order: CheckoutStart): Promise<void>;
}

/** The request that placed a younger order still starts its workflow. */
const GRACE_MS = 2_000;
/** After an outage there are many; more at once would only queue at Temporal. */
const START_CONCURRENCY = 10;

export function createCheckoutStarterSubscriber(deps: CheckoutStarterDeps): Subscriber {
  return {
    name: 'checkout-starter',
    types: ['order.placed'],
    startsAt: 'beginning',
    maxBatch: 100,
    delayMs: GRACE_MS,
    deadlineMs: 20_000,
    retryDelaysMs: STARTER_RETRY_DELAYS_MS,
    handle: (events, signal) => startAll(deps, events, signal),
  };
}

async function startAll(
  deps: CheckoutStarterDeps,
  events: readonly LoggedEvent[],
  signal: AbortSignal,
): Promise<void> {
  const orderIds = events.map((event) => event.orderId);
  const orders = await findUnstarted(deps.db, orderIds);
  for (let at = 0; at < orders.length; at += START_CONCURRENCY) {
    signal.throwIfAborted();
    const group = orders.slice(at, at + START_CONCURRENCY);
    const starts = await Promise.allSettled(group.map((order) => startAndMark(deps, order)));
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

async function startAndMark(deps: CheckoutStarterDeps, order: CheckoutStart): Promise<void> {
  await deps.startCheckout(order);
  await markStarted(deps.db, order.orderId);
}
