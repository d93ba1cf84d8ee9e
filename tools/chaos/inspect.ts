/** The end of a run: reads the orders, makes the audit and repeats every request. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { audit } from '../audit/audit.ts';
import { repeat, type Purchase, type Reply } from './client.ts';
import { RECOVERY_LIMIT_MS, type Facts, type Receipts } from './evaluate.ts';
import type { Receiver } from './receiver.ts';
import { readOrders } from './records.ts';
import type { Recovered } from './recovery.ts';
import type { Faulted, RunContext } from './context.ts';

/** Workflows of each kind that are searched for personal data. */
const AUDIT_SAMPLE = 50;
const AUDIT_TIMEOUT_MS = 120_000;
const AUDIT_RETRY_MS = 3_000;
const CONCURRENT_REPEATS = 8;

/** Collects the facts of a run after its recovery. Rejects when the stack is unavailable. */
export async function inspect(context: RunContext, seen: Faulted & Recovered): Promise<Facts> {
  const { db, receiver } = context;
  const { purchases, settledAfterMs, caughtUpAfterMs, killer, injectors, watch } = seen;
  return {
    purchases,
    settledAfterMs,
    caughtUpAfterMs,
    receipts: receiver === null ? null : receiptsOf(receiver, seen.receivedAfterMs),
    repeats: await repeatAll(context, purchases),
    audit: await auditInTime(context, seen),
    orders: await readOrders(db),
    kills: killer.kills,
    fired: new Map(injectors.flatMap(({ fired }) => [...fired])),
    violationsDuring: [...watch.violations],
    checksDuring: watch.rounds,
  };
}

function receiptsOf(receiver: Receiver, allAfterMs: number | null): Receipts {
  const { received, failed, invalid } = receiver;
  const repeated = [...received.values()].filter((times) => times > 1).length;
  return { allAfterMs, events: received.size, repeated, failed, invalid: [...invalid] };
}

/**
 * Everything that `npm run audit` checks. What follows a settled order, such as the delivery of its
 * events, has the same time to recover: the audit is repeated until then, and the last one counts.
 */
async function auditInTime(
  { environment }: RunContext,
  { purchases, clearedAt }: Recovered,
): Promise<readonly InvariantResult[]> {
  const { databaseUrl, temporal, temporalNamespace, sandbox } = environment.addresses;
  const request = {
    places: {
      databaseUrl,
      sandboxUrl: sandbox,
      temporal: { connection: { address: temporal }, namespace: temporalNamespace },
    },
    acknowledged: purchases.flatMap(
      ({ outcome, orderId }) => (outcome === 'accepted' && orderId) || [],
    ),
    sample: AUDIT_SAMPLE,
    graceMs: RECOVERY_LIMIT_MS,
    timeoutMs: AUDIT_TIMEOUT_MS,
  };
  for (;;) {
    const results = await audit(request);
    const isClean = results.every(({ violations, unchecked }) => violations === 0 && !unchecked);
    if (isClean || performance.now() - clearedAt > RECOVERY_LIMIT_MS) return results;
    await delay(AUDIT_RETRY_MS);
  }
}

/** Repeats every request that got a final response. */
async function repeatAll(
  { client }: RunContext,
  purchases: readonly Purchase[],
): Promise<ReadonlyMap<string, Reply | null>> {
  const repeats = new Map<string, Reply | null>();
  const left = purchases.filter(({ outcome }) => outcome === 'accepted' || outcome === 'declined');
  const uncounted = { ...client, count: () => undefined };
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      repeats.set(next.plan.key, await repeat(uncounted, next.plan));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_REPEATS }, work));
  return repeats;
}
