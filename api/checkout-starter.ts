/**
 * Starts checkout workflows after the answer went out: the shopper never pays for Temporal. What
 * fails here, or dies with the process, is started from the event log.
 */
import type { Logger } from 'pino';
import type { Database } from '../prisma/client.ts';
import { markStarted, type CheckoutStart } from '../prisma/orders.ts';
import type { Checkouts, StartOutcome } from './checkouts.ts';

export interface CheckoutStarter {
  /** Begins the start and returns at once. Never throws. */
  startSoon(order: CheckoutStart): void;
  /** Resolves when no start is under way any more. */
  drain(): Promise<void>;
}

export interface StarterDeps {
  readonly db: Database;
  readonly checkouts: Checkouts;
  readonly log: Logger;
}

/** Beyond this many at once a start would only queue; the event log brings the rest within seconds. */
const MAX_UNDER_WAY = 200;

export function createCheckoutStarter(deps: StarterDeps): CheckoutStarter {
  const underWay = new Set<Promise<void>>();
  return {
    startSoon(order) {
      if (underWay.size >= MAX_UNDER_WAY) return;
      const start = startAndMark(deps, order)
        .then(() => undefined)
        .catch((error: unknown) => {
          deps.log.warn({ err: error, order_id: order.orderId }, 'checkout not started yet');
        })
        .finally(() => underWay.delete(start));
      underWay.add(start);
    },
    async drain() {
      await Promise.all(underWay);
    },
  };
}

/** Starts the workflow and remembers that it runs. Safe to repeat. */
export async function startAndMark(
  { db, checkouts }: Omit<StarterDeps, 'log'>,
  order: CheckoutStart,
): Promise<StartOutcome['kind']> {
  const { kind } = await checkouts.start(order);
  if (kind !== 'unavailable') await markStarted(db, order.orderId);
  return kind;
}
