/**
 * Starts the workflow of each placed order that has none: the API starts it after its response and
 * does not wait, so the start can be lost with the process or during a Temporal outage.
 */
import pMap from 'p-map';
import { STARTER_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import type { OrderId } from '../../../domain/ids.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { findUnstarted, type CheckoutStart } from '../../../prisma/orders/orders.ts';
import { throwFailed, type Subscriber } from './subscriber.ts';

export interface CheckoutStarterDeps {
  readonly db: Database;
  /**
   * Starts the workflow and records it: it runs, has run, or needs attention because Temporal refuses
   * it. Rejects when that is unknown.
   */
  startCheckout(order: CheckoutStart): Promise<unknown>;
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

/** One that cannot be started does not keep the others from being started. */
async function startAll(
  { db, startCheckout }: CheckoutStarterDeps,
  events: readonly LoggedEvent[],
  signal: AbortSignal,
): Promise<void> {
  const orders = await findUnstarted(
    db,
    events.map((event) => event.orderId),
  );
  const errors = new Map<OrderId, unknown>();
  const start = async (order: CheckoutStart): Promise<void> => {
    signal.throwIfAborted();
    await startCheckout(order).catch((error: unknown) => errors.set(order.orderId, error));
  };
  await pMap(orders, start, { concurrency: START_CONCURRENCY });
  throwFailed(
    events,
    events.flatMap((event) =>
      errors.has(event.orderId) ? [{ event, error: errors.get(event.orderId) }] : [],
    ),
  );
}
