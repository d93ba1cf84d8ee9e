/** The end of a run: reads the books, the ledgers and the audit, and asks every request once more. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { readLedger, readOrders } from './records.ts';
import { linesOf } from './invariant-watch.ts';
import type { InvariantWatch } from './invariant-watch.ts';
import type { Killer } from './killer.ts';
import type { Harm } from './line-faults.ts';
import type { Receiver } from './receiver.ts';
import type { Environment } from './environment.ts';
import { askAgain } from './client.ts';
import type { Purchase, Reply, ShopperDeps } from './client.ts';
import type { Facts } from './evaluate.ts';

export interface Faulted {
  readonly killer: Pick<Killer, 'kills'>;
  readonly harms: readonly Pick<Harm, 'fired'>[];
  readonly watch: Pick<InvariantWatch, 'violations' | 'rounds'>;
  readonly receiver: Receiver | null;
}

export interface Recovered {
  /** By performance.now(). */
  readonly healedAt: number;
  readonly purchases: readonly Purchase[];
  /** From healing on; null: not in time. */
  readonly settledAfterMs: number | null;
  readonly caughtUpAfterMs: number | null;
  /** Null also when there is no receiver. */
  readonly receivedAfterMs: number | null;
}

/** After healing, for everything there is to come right. */
export const REST_WITHIN_MS = 60_000;
/** Workflows of each kind that are searched for persons. */
const AUDIT_SAMPLE = 50;
const AUDIT_TIMEOUT_MS = 120_000;
const AUDIT_AGAIN_MS = 3_000;
const REPEATS_AT_ONCE = 8;

/** Gathers the facts of a run whose orders have come to rest. Rejects when the stack cannot be asked. */
export async function inspect(
  { environment, client }: { readonly environment: Environment; readonly client: ShopperDeps },
  seen: Faulted & Recovered,
): Promise<Facts> {
  const { databaseUrl, sandbox } = environment.addresses;
  const { purchases, settledAfterMs, caughtUpAfterMs, killer, harms, watch } = seen;
  const repeats = await repeatAll(client, purchases);
  const results = await auditInTime(environment, seen);
  const [orders, payments, warehouse] = await Promise.all([
    readOrders(databaseUrl),
    readLedger(sandbox, 'payments'),
    readLedger(sandbox, 'warehouse'),
  ]);
  return {
    purchases,
    settledAfterMs,
    caughtUpAfterMs,
    receipts: receiptsOf(seen),
    repeats,
    records: { orders, payments, warehouse },
    kills: killer.kills,
    fired: new Map(harms.flatMap(({ fired }) => [...fired])),
    auditDuring: [...watch.violations],
    auditRounds: watch.rounds,
    auditAfter: linesOf(results),
    unchecked: results.flatMap(({ name, unchecked }) =>
      unchecked === null ? [] : [`${name}: ${unchecked}`],
    ),
  };
}

function receiptsOf({ receiver, receivedAfterMs }: Faulted & Recovered): Facts['receipts'] {
  if (receiver === null) return null;
  const { taken, failed, wrong } = receiver;
  const twice = [...taken.values()].filter((times) => times > 1).length;
  return { allAfterMs: receivedAfterMs, events: taken.size, twice, failed, wrong: [...wrong] };
}

/**
 * Everything `npm run audit` asks. What happens after an order has come to rest, such as the delivery
 * of its events, has the same time to come right: asked again until then, the last answer counts.
 */
async function auditInTime(
  { addresses }: Environment,
  { purchases, healedAt }: Recovered,
): Promise<readonly InvariantResult[]> {
  const { databaseUrl, temporal, temporalNamespace: namespace, sandbox: sandboxUrl } = addresses;
  // Loaded late: it imports the generated client.
  const { audit } = await import('../audit/audit.ts');
  const ask = () =>
    audit({
      places: {
        databaseUrl,
        sandboxUrl,
        temporal: { connection: { address: temporal }, namespace },
      },
      acknowledged: purchases.flatMap(({ orderId }) => (orderId === null ? [] : [orderId])),
      sample: AUDIT_SAMPLE,
      graceMs: REST_WITHIN_MS,
      timeoutMs: AUDIT_TIMEOUT_MS,
    });
  for (;;) {
    const results = await ask();
    const isClean = results.every(({ violations, unchecked }) => violations === 0 && !unchecked);
    if (isClean || performance.now() - healedAt > REST_WITHIN_MS) return results;
    await delay(AUDIT_AGAIN_MS);
  }
}

/** Every answered request once more, a few at a time. */
async function repeatAll(
  client: ShopperDeps,
  purchases: readonly Purchase[],
): Promise<ReadonlyMap<string, Reply | null>> {
  const repeats = new Map<string, Reply | null>();
  const left = purchases.filter(({ outcome }) => outcome === 'accepted' || outcome === 'declined');
  const silent: ShopperDeps = { ...client, count: () => undefined };
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      repeats.set(next.plan.key, await askAgain(silent, next.plan));
    }
  };
  await Promise.all(Array.from({ length: REPEATS_AT_ONCE }, work));
  return repeats;
}
