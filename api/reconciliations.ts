/** Starting a reconciliation by hand, and how its runs and differences are shown. */
import type { Database } from '../prisma/client.ts';
import { newId } from '../prisma/new-id.ts';
import type { Operator } from '../prisma/operator-actions.ts';
import type { FoundDifference } from '../prisma/differences.ts';
import {
  closeReconciliation,
  openReconciliation,
  type Reconciliation,
} from '../prisma/reconciliation.ts';
import { reconcileWindow, type ReconcileScope } from '../workflows/upkeep-contract.ts';
import type { DifferenceBody, ReconciliationBody } from './schemas/reconciliations.ts';
import type { Upkeep } from './upkeep.ts';

export type StartOutcome =
  /** This run, or the one that was under way already. */
  { readonly kind: 'running'; readonly run: Reconciliation } | { readonly kind: 'unavailable' };

/** Starts a run now. There is one at a time, so a repeat is given the one that runs. */
export async function startReconciliation(
  { db, upkeep }: { readonly db: Database; readonly upkeep: Upkeep },
  scope: ReconcileScope,
  by: Operator,
): Promise<StartOutcome> {
  const { from, to } = reconcileWindow(scope, Date.now());
  const id = newId('reconciliation');
  const opened = await openReconciliation(db, { id, scope, by, windowFrom: from, windowTo: to });
  const { run } = opened;
  if (opened.kind === 'running') return { kind: 'running', run };
  const started = await upkeep.startReconciliation({ scope, reconciliationId: run.id });
  if (started.kind === 'unavailable') {
    await closeReconciliation(db, run.id, { status: 'failed', checked: {} });
    return { kind: 'unavailable' };
  }
  return { kind: 'running', run };
}

export function reconciliationBody(run: Reconciliation): ReconciliationBody {
  return {
    id: run.id,
    object: 'reconciliation',
    scope: run.scope,
    status: run.status,
    actor: run.actor,
    window_from: run.windowFrom,
    window_to: run.windowTo,
    checked: { ...run.checked },
    found: run.found,
    resolved: run.resolved,
    started_at: run.startedAt,
    finished_at: run.finishedAt,
  };
}

export function differenceBody(difference: FoundDifference): DifferenceBody {
  return {
    id: difference.id,
    kind: difference.kind,
    subject: difference.subject,
    order_id: difference.orderId,
    ours: { ...difference.ours },
    theirs: { ...difference.theirs },
    first_seen_at: difference.firstSeenAt,
    last_seen_at: difference.lastSeenAt,
    resolved_at: difference.resolvedAt,
  };
}
