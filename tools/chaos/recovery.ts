/** Clears every fault and waits until everything has recovered. Nothing is restarted. */
import { z } from 'zod';
import { becomesTrue } from '../../local/stack/commands.ts';
import { callFor } from '../http.ts';
import { createSandboxClient } from '../sandbox-client.ts';
import type { Purchase } from './client.ts';
import { hasSettled, RECOVERY_LIMIT_MS } from './evaluate.ts';
import type { Load } from './load.ts';
import { endWaits, readEventIds, readOrders } from './records.ts';
import type { RunContext } from './context.ts';

export interface Recovered {
  /** By performance.now(). */
  readonly clearedAt: number;
  readonly purchases: readonly Purchase[];
  /** From clearing the faults; null: not in time. */
  readonly settledAfterMs: number | null;
  readonly caughtUpAfterMs: number | null;
  /** Null also when there is no receiver. */
  readonly receivedAfterMs: number | null;
}

const POLL_MS = 500;
const USUAL_LAG_SECONDS = 2;
/**
 * How far a subscription may lag on purpose: the feed collects events for 30 s, and waits as long
 * again after its last batch.
 */
const COLLECTS_SECONDS: Readonly<Record<string, number>> = {
  'warehouse-feed': 60,
  'checkout-starter': 2,
  'refund-starter': 2,
};
/** An event whose first attempts failed during the faults is sent again after 30 min. */
const RECEIVED_WITHIN_MS = 33 * 60_000;

const subscriptionsSchema = z.object({
  data: z.array(z.object({ name: z.string(), lag_seconds: z.number() })),
});

export async function recover(context: RunContext, load: Load): Promise<Recovered> {
  const { environment, db, receiver, say } = context;
  await createSandboxClient({ url: environment.addresses.sandbox }).clearFaults();
  receiver?.clearFaults();
  const clearedAt = performance.now();
  say('All faults cleared: waiting for recovery');
  const purchases = await load.finish();
  const accepted = new Set(purchases.map(({ orderId }) => orderId));
  const left = purchases.flatMap(({ outcome, orderId }) => (outcome === 'left' && orderId) || []);
  const countUnsettled = async (): Promise<number> => {
    await endWaits(db, left);
    const orders = await readOrders(db);
    return orders.filter((order) => accepted.has(order.id) && !hasSettled(order)).length;
  };
  const until = countdown(context, clearedAt);
  return {
    clearedAt,
    purchases,
    settledAfterMs: await until('orders not settled', RECOVERY_LIMIT_MS, countUnsettled),
    caughtUpAfterMs: await until('subscriptions lagging', RECOVERY_LIMIT_MS, () =>
      countLagging(environment.addresses.api),
    ),
    receivedAfterMs:
      receiver === null
        ? null
        : await until('events not received', RECEIVED_WITHIN_MS, async () => {
            const ids = await readEventIds(db);
            return ids.filter((id) => !receiver.received.has(id)).length;
          }),
  };
}

type Until = (
  what: string,
  withinMs: number,
  countLeft: () => Promise<number>,
) => Promise<number | null>;

/** How long after clearing nothing was left, in ms; null: not in time. Prints what is left. */
function countdown({ signal, say }: RunContext, clearedAt: number): Until {
  return async (what, withinMs, countLeft) => {
    let last = 0;
    const isNothing = async (): Promise<boolean> => {
      signal.throwIfAborted();
      // A count that fails has not recovered yet.
      const left = await countLeft().catch(() => null);
      if (left !== null && left !== last) say(`  ${left} ${what}`);
      last = left ?? last;
      return left === 0;
    };
    const timeoutMs = withinMs - (performance.now() - clearedAt);
    const isOver = await becomesTrue(isNothing, { timeoutMs, everyMs: POLL_MS });
    return isOver ? performance.now() - clearedAt : null;
  };
}

async function countLagging(api: string): Promise<number> {
  const url = `${api}/v1/subscriptions?limit=100`;
  const { data } = await callFor({ url, role: 'operator' }, subscriptionsSchema);
  return data.filter(({ name, lag_seconds: lag }) => {
    const { [name]: collects = 0 } = COLLECTS_SECONDS;
    return lag > collects + USUAL_LAG_SECONDS;
  }).length;
}
