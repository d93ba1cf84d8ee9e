/** The second phase of a run: every fault is cleared, and everything has to come right by itself. */
import { z } from 'zod';
import { becomesTrue } from '../../local/stack/commands.ts';
import { readEventIds, readOrders } from './records.ts';
import type { Load } from './load.ts';
import { REST_WITHIN_MS } from './inspect.ts';
import type { Recovered } from './inspect.ts';
import type { Receiver } from './receiver.ts';
import type { Environment } from './environment.ts';
import { hasSettled } from './evaluate.ts';

export interface HealDeps {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly load: Load;
  readonly receiver: Receiver | null;
}

const CONTROL_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 500;
const LAG_WHEN_WELL_SECONDS = 2;
/**
 * What a subscription may be behind on purpose: the feed waits 30 s for company, and as long again
 * after its last batch.
 */
const GATHERS_SECONDS: Readonly<Record<string, number>> = {
  'warehouse-feed': 60,
  'checkout-starter': 2,
  'refund-starter': 2,
};
/** An event whose attempts at once and after 5 min failed during the harm is sent again after 30 min. */
const RECEIVED_WITHIN_MS = 33 * 60_000;

const subscriptionsForm = z.object({
  data: z.array(z.object({ name: z.string(), lag_seconds: z.number() })),
});

/** Nothing is restarted here: what runs has to recover by itself. */
export async function clearFaults(deps: HealDeps): Promise<Recovered> {
  const { environment, say, load, receiver } = deps;
  const clear = { method: 'DELETE', signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS) };
  await fetch(`${environment.addresses.sandbox}/faults`, clear);
  receiver?.clearFaults();
  const healedAt = performance.now();
  say('Healed: everything has to come to rest');
  const purchases = await load.finish();
  const accepted = new Set(purchases.flatMap(({ orderId }) => (orderId === null ? [] : [orderId])));
  const countOrders = async (): Promise<number> => {
    const orders = await readOrders(environment.addresses.databaseUrl);
    return orders.filter((order) => accepted.has(order.id) && !hasSettled(order)).length;
  };
  const countEvents = async (taken: Receiver['taken']): Promise<number> => {
    const ids = await readEventIds(environment.addresses.databaseUrl);
    return ids.filter((id) => !taken.has(id)).length;
  };
  const until = countdown(deps, healedAt);
  return {
    healedAt,
    purchases,
    settledAfterMs: await until('orders still moving', REST_WITHIN_MS, countOrders),
    caughtUpAfterMs: await until('subscriptions behind', REST_WITHIN_MS, () =>
      countBehind(environment),
    ),
    receivedAfterMs:
      receiver === null
        ? null
        : await until('events not received', RECEIVED_WITHIN_MS, () => countEvents(receiver.taken)),
  };
}

type Until = (
  what: string,
  withinMs: number,
  countLeft: () => Promise<number>,
) => Promise<number | null>;

/** How long after healing nothing was left, in ms; null: not in time. Says what is left as it sinks. */
function countdown({ signal, say }: HealDeps, healedAt: number): Until {
  return async (what, withinMs, countLeft) => {
    let last = 0;
    const isNothing = async (): Promise<boolean> => {
      signal.throwIfAborted();
      // What cannot be asked yet has not come right yet.
      const left = await countLeft().catch(() => null);
      if (left !== null && left !== last) say(`  ${left} ${what}`);
      last = left ?? last;
      return left === 0;
    };
    const timeoutMs = withinMs - (performance.now() - healedAt);
    const isOver = await becomesTrue(isNothing, { timeoutMs, everyMs: LOOK_EVERY_MS });
    return isOver ? performance.now() - healedAt : null;
  };
}

async function countBehind({ addresses }: Environment): Promise<number> {
  const answer = await fetch(`${addresses.api}/v1/subscriptions?limit=100`, {
    headers: { authorization: 'Bearer hf_local_operator' },
    signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS),
  });
  const { data } = subscriptionsForm.parse(await answer.json());
  return data.filter(({ name, lag_seconds: lag }) => {
    const { [name]: gathers = 0 } = GATHERS_SECONDS;
    return lag > gathers + LAG_WHEN_WELL_SECONDS;
  }).length;
}
