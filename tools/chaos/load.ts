/** Open-model load: orders arrive at a seeded rate, however long the responses take. */
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../random.ts';
import { purchase, type ClientOptions, type Purchase } from './client.ts';
import { planOrder } from './order-plan.ts';

export interface Load {
  /** Orders so far. */
  readonly arrived: number;
  readonly inFlight: number;
  /** Settles when arrivals have ended; purchases may still be in flight. */
  readonly arrivals: Promise<void>;
  /** Settles when the last client has a final response or has given up. */
  finish(): Promise<readonly Purchase[]>;
}

export interface LoadOptions extends ClientOptions {
  readonly seed: number;
  readonly ratePerSecond: number;
  /** Called before each arrival: false ends them. */
  readonly continues: (arrived: number) => boolean;
}

const MAX_IN_FLIGHT = 3_000;
const MS_PER_SECOND = 1000;

/** Starts at once. */
export function startLoad(options: LoadOptions): Load {
  const { seed, ratePerSecond, continues, signal } = options;
  const random = createRandom(seed, 'arrivals');
  const purchases: Promise<Purchase>[] = [];
  let inFlight = 0;
  const arrive = (): void => {
    inFlight += 1;
    const started = purchase(options, planOrder(seed, purchases.length)).finally(() => {
      inFlight -= 1;
    });
    // `finish` rejects with it; until then it must not count as unhandled.
    started.catch(() => undefined);
    purchases.push(started);
  };
  const run = async (): Promise<void> => {
    let dueAt = performance.now();
    while (continues(purchases.length)) {
      dueAt += (-Math.log(1 - random.next()) / ratePerSecond) * MS_PER_SECOND;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal });
      if (inFlight < MAX_IN_FLIGHT) arrive();
    }
  };
  const arrivals = run();
  return {
    get arrived() {
      return purchases.length;
    },
    get inFlight() {
      return inFlight;
    },
    arrivals,
    finish: async () => {
      await arrivals;
      return Promise.all(purchases);
    },
  };
}
