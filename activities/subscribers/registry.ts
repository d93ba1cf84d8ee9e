/** Who reads the event log. A new subscriber is one file beside this one and one line in here. */
import type { Database } from '../../prisma/client.ts';
import type { CheckoutStart } from '../../prisma/orders.ts';
import type { Subscriber } from './subscriber.ts';

export interface SubscriberDependencies {
  readonly db: Database;
  /** Starts the order's workflow. Safe to repeat. */
  startCheckout(order: CheckoutStart): Promise<void>;
}

/** The built-in subscribers. */
export function createSubscribers(_deps: SubscriberDependencies): readonly Subscriber[] {
  return [];
}

/** Finds the subscriber behind a subscription's name; null when there is none (any more). */
export function createSubscriberLookup(
  _deps: SubscriberDependencies,
  builtIn: readonly Subscriber[],
): (subscription: string) => Promise<Subscriber | null> {
  return (name) => Promise.resolve(builtIn.find((subscriber) => subscriber.name === name) ?? null);
}
