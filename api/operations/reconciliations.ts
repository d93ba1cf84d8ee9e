/** Starts reconciliations on request; runs and discrepancies on the wire. */
import type { KeyClaim, StoredResponse } from '../../prisma/access/idempotency.ts';
import { newId } from '../../prisma/client/ids.ts';
import type { Operator } from '../../prisma/access/operator-actions.ts';
import type { FoundDiscrepancy } from '../../prisma/operations/discrepancies.ts';
import {
  openReconciliation,
  type Reconciliation,
} from '../../prisma/operations/reconciliation-runs.ts';
import { reconcileWindow, type ReconcileScope } from '../../workflows/operations/contract.ts';
import type { DiscrepancyBody, ReconciliationBody } from '../schemas/reconciliations.ts';
import type { BackgroundStarts } from '../../services/background-starts.ts';
import { withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';
import {
  startRequestedReconciliation,
  type ReconciliationDeps,
} from '../../services/start-reconciliation.ts';

/** Starts a run in the background. Only one runs at a time, so a running one is returned instead. */
export function startReconciliation(
  deps: ReconciliationDeps & { readonly starts: BackgroundStarts },
  claim: KeyClaim,
  { scope, by }: { readonly scope: ReconcileScope; readonly by: Operator },
): Promise<IdempotentOutcome> {
  return withIdempotencyKey(deps.db, claim, async () => {
    const { from, to } = reconcileWindow(scope, Date.now());
    const { kind, run } = await openReconciliation(deps.db, {
      id: newId('reconciliation'),
      scope,
      by: { ...by, claim, response: startedResponse },
      windowFrom: from,
      windowTo: to,
    });
    if (kind === 'opened') {
      deps.starts.begin(() => startRequestedReconciliation(deps, run), {
        reconciliation_id: run.id,
      });
    }
    return startedResponse(run);
  });
}

function startedResponse(run: Reconciliation): StoredResponse {
  return { status: 202, body: JSON.stringify(reconciliationBody(run)) };
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

export function discrepancyBody(discrepancy: FoundDiscrepancy): DiscrepancyBody {
  return {
    id: discrepancy.id,
    kind: discrepancy.kind,
    subject: discrepancy.subject,
    order_id: discrepancy.orderId,
    ours: { ...discrepancy.ours },
    theirs: { ...discrepancy.theirs },
    first_seen_at: discrepancy.firstSeenAt,
    last_seen_at: discrepancy.lastSeenAt,
    resolved_at: discrepancy.resolvedAt,
  };
}
