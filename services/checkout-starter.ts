/**
 * Starts checkout workflows after the response, so that the shopper never waits for Temporal. A start
 * that fails or dies with the process is repeated from the event log.
 */
import type { Logger } from 'pino';
import type { Database } from '../prisma/client/client.ts';
import { CHECKOUT_STEP } from '../domain/checkout-steps.ts';
import { recordNeedsAttention } from '../prisma/orders/needs-attention.ts';
import { markStarted, type CheckoutStart } from '../prisma/orders/orders.ts';
import { startRejected } from '../temporal/deadline.ts';
import type { CheckoutClient, StartOutcome } from '../temporal/checkout-client.ts';
import { createBackgroundStarts } from './background-starts.ts';

export interface CheckoutStarter {
  /** Returns immediately and never throws. */
  startInBackground(order: CheckoutStart): void;
  /** Resolves when all pending starts have finished. */
  drain(): Promise<void>;
}

export interface StarterDeps {
  readonly db: Database;
  readonly checkouts: CheckoutClient;
  readonly log: Logger;
}

export function createCheckoutStarter(deps: StarterDeps): CheckoutStarter {
  const starts = createBackgroundStarts(deps);
  return {
    startInBackground: (order) =>
      starts.begin(() => startAndMark(deps, order), { order_id: order.orderId }),
    drain: () => starts.drain(),
  };
}

/**
 * Starts the workflow and records that it was started. An order whose workflow Temporal refuses needs
 * attention: nothing else would move it. Safe to repeat.
 */
export async function startAndMark(
  { db, checkouts }: Omit<StarterDeps, 'log'>,
  order: CheckoutStart,
): Promise<StartOutcome> {
  const outcome = await checkouts.start(order);
  if (outcome.kind === 'rejected') {
    const failure = startRejected(outcome);
    await recordNeedsAttention(db, order.orderId, { steps: [CHECKOUT_STEP], failure });
  } else if (outcome.kind !== 'unavailable') {
    await markStarted(db, order.orderId);
  }
  return outcome;
}
