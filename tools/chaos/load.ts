/**
 * Open-model load: shoppers arrive at a seeded rate whatever the answers do, so a service that is
 * down does not make its own visitors wait outside.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { planOrder } from './order-plan.ts';
import { createRandom } from './random.ts';
import { shop } from './client.ts';
import type { Purchase, ShopperDeps } from './client.ts';

export interface Load {
  /** Arrivals so far. */
  readonly arrived: number;
  readonly underWay: number;
  /** Settles when arrivals have ended; purchases may still be under way. */
  readonly arrivals: Promise<void>;
  /** Settles with every purchase, when the last shopper has an answer or has given up. */
  finish(): Promise<readonly Purchase[]>;
}

export interface LoadOptions extends ShopperDeps {
  readonly seed: number;
  readonly ratePerSecond: number;
  /** Asked before each arrival: false ends them. */
  readonly goOn: (arrived: number) => boolean;
}

const MAX_UNDER_WAY = 3_000;
const MS_PER_SECOND = 1000;

/** Starts at once. */
export function startLoad(options: LoadOptions): Load {
  const { seed, ratePerSecond, goOn, signal } = options;
  const random = createRandom(seed, 'arrivals');
  const purchases: Promise<Purchase>[] = [];
  let underWay = 0;
  const arrive = (): void => {
    underWay += 1;
    const purchase = shop(options, planOrder(seed, purchases.length)).finally(() => {
      underWay -= 1;
    });
    // Whoever finishes the load sees it; until then it must not count as unhandled.
    purchase.catch(() => undefined);
    purchases.push(purchase);
  };
  const run = async (): Promise<void> => {
    let dueAt = performance.now();
    while (goOn(purchases.length)) {
      dueAt += (-Math.log(1 - random.next()) / ratePerSecond) * MS_PER_SECOND;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal });
      if (underWay < MAX_UNDER_WAY) arrive();
    }
  };
  const arrivals = run();
  return {
    get arrived() {
      return purchases.length;
    },
    get underWay() {
      return underWay;
    },
    arrivals,
    finish: async () => {
      await arrivals;
      return Promise.all(purchases);
    },
  };
}
