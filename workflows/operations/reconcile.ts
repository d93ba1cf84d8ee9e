/** One reconciliation: compares the window slice by slice, rechecks open discrepancies, reports. */
import {
  CancellationScope,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { ReconcileActivities, ReconcileSlice } from '../activities.ts';
import { failureSummary } from '../failure-summary.ts';
import { retryBriefly } from '../failure-type.ts';
import { requireInput, takesUndecoded } from '../inputs.ts';
import { details } from '../limits.ts';
import { reconcileInput } from './inputs.ts';
import {
  RECONCILE_HEARTBEAT_TIMEOUT_MS,
  reconcileWindow,
  type ReconcileInput,
  type ReconcileResult,
} from './contract.ts';

/** A day is read in one activity: some hundred pages for a shop of this size. */
const SLICE_MS = 24 * 3_600_000;

const record = proxyActivities<ReconcileActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { maximumInterval: '1 minute', maximumAttempts: 20 },
});

const read = proxyActivities<ReconcileActivities>({
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: RECONCILE_HEARTBEAT_TIMEOUT_MS,
  // After a longer outage the next run compares.
  retry: { initialInterval: '5 seconds', maximumInterval: '5 minutes', maximumAttempts: 6 },
});

takesUndecoded(reconcile);

export async function reconcile(given: ReconcileInput): Promise<ReconcileResult> {
  const { scope, reconciliationId = null } = requireInput(reconcileInput, given);
  const window = reconcileWindow(scope, Date.now());
  const run = await retryBriefly(() =>
    record.beginReconciliation({ scope, reconciliationId, ...window }),
  );
  if (run === null) return { status: 'skipped', found: 0, resolved: 0 };
  const { id } = run;
  const checked: Record<string, number> = {};
  try {
    for (const slice of slicesOf(run)) {
      add(checked, await read.reconcilePayments(slice));
      add(checked, await read.reconcileShipments(slice));
      setCurrentDetails(details(card(run, slice, checked)));
    }
    add(checked, await read.recheckDiscrepancies({ id }));
  } catch (error) {
    if (isCancellation(error)) {
      // A run that stays open would keep others from starting.
      await CancellationScope.nonCancellable(() => end(id, 'failed', checked));
      throw error;
    }
    setCurrentDetails(details(`Failed: ${failureSummary(error)}`));
    return end(id, 'failed', checked);
  }
  return end(id, 'completed', checked);
}

async function end(
  id: string,
  status: 'completed' | 'failed',
  checked: Readonly<Record<string, number>>,
): Promise<ReconcileResult> {
  const counts = await retryBriefly(() => record.endReconciliation({ id, status, checked }));
  return { status, ...counts };
}

function* slicesOf({ id, from, to }: ReconcileSlice): Generator<ReconcileSlice> {
  const endMs = Date.parse(to);
  for (let atMs = Date.parse(from); atMs < endMs; atMs += SLICE_MS) {
    const untilMs = Math.min(atMs + SLICE_MS, endMs);
    yield { id, from: new Date(atMs).toISOString(), to: new Date(untilMs).toISOString() };
  }
}

function add(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

function card(
  run: ReconcileSlice,
  { to }: ReconcileSlice,
  checked: Readonly<Record<string, number>>,
): string {
  const rows = Object.entries(checked).map(([name, count]) => `| ${name} | ${count} |`);
  const title = `### ${run.id}: ${run.from} to ${to} of ${run.to}`;
  return [title, '', '| compared | count |', '|---|---|', ...rows].join('\n');
}
