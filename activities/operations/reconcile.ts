/** The steps of a reconciliation: open, compare slice by slice, recheck open discrepancies, close. */
import { Context, log } from '@temporalio/activity';
import { isOrderId } from '../../domain/ids.ts';
import { idBegunAt } from '../../prisma/client/ids.ts';
import {
  listUnseen,
  resolveDiscrepancy,
  type FoundDiscrepancy,
} from '../../prisma/operations/discrepancies.ts';
import {
  closeReconciliation,
  findReconciliation,
  openReconciliation,
} from '../../prisma/operations/reconciliation-runs.ts';
import { recordMaintenanceRun } from '../../prisma/operations/maintenance-runs.ts';
import type { ReconcileActivities } from '../../workflows/activities.ts';
import { guarded } from '../guarded.ts';
import { eachItem } from '../../telemetry/items.ts';
import { itemLoop } from '../items.ts';
import { compareShipmentNow, reconcileShipments } from './reconcile-shipments.ts';
import { comparePaymentNow, reconcilePayments } from './reconcile-payments.ts';
import { NAMELESS_SUBJECTS } from './not-understood.ts';
import type { MaintenanceDependencies } from './dependencies.ts';

const PAGE = 100;
/** More open discrepancies than that are one cause, not thousands. The next run starts again. */
const MAX_PAGES = 50;

export function createReconcileActivities(deps: MaintenanceDependencies): ReconcileActivities {
  const { db } = deps;
  return guarded<ReconcileActivities>({
    async beginReconciliation({ scope, reconciliationId, from, to }) {
      if (reconciliationId !== null) {
        const run = await findReconciliation(db, reconciliationId);
        if (run?.status !== 'running') return null;
        return { id: run.id, from: run.windowFrom, to: run.windowTo };
      }
      const limits = { id: ownId(), scope, by: null, windowFrom: from, windowTo: to };
      const { kind, run } = await openReconciliation(db, limits);
      if (kind === 'running' || run.status !== 'running') return null;
      return { id: run.id, from: run.windowFrom, to: run.windowTo };
    },
    reconcilePayments: (slice) => reconcilePayments(deps, slice),
    reconcileShipments: (slice) => reconcileShipments(deps, slice),

    async recheckDiscrepancies({ id }) {
      const loop = itemLoop('recheck_discrepancies', (each: FoundDiscrepancy) => each.id);
      const counts = { rechecked: 0, failed: 0 };
      let after: string | null = null;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const unseen: readonly FoundDiscrepancy[] = await listUnseen(db, id, {
          limit: PAGE,
          after,
        });
        const failed = await eachItem(unseen, loop, (each) => recheck(deps, id, each));
        counts.rechecked += unseen.length;
        counts.failed += failed.length;
        after = unseen.at(-1)?.id ?? null;
        if (unseen.length < PAGE) break;
      }
      return counts;
    },

    async endReconciliation({ id, status, checked }) {
      await closeReconciliation(db, id, { status, checked });
      if (status === 'completed') await recordMaintenanceRun(db, 'reconcile', checked);
      const run = await findReconciliation(db, id);
      const { found = 0, resolved = 0 } = run ?? {};
      const level = found > 0 || status === 'failed' ? 'warn' : 'info';
      log[level]('reconciled', { reconciliation_id: id, status, found, resolved });
      return { found, resolved };
    },
  });
}

/** One id per run of the workflow: a retry finds the run that an earlier attempt opened. */
function ownId(): string {
  const { scheduledTimestampMs, workflowExecution } = Context.current().info;
  if (workflowExecution === undefined) throw new Error('only a workflow opens its own run');
  return idBegunAt('reconciliation', scheduledTimestampMs, workflowExecution.runId);
}

async function recheck(
  deps: MaintenanceDependencies,
  runId: string,
  discrepancy: FoundDiscrepancy,
): Promise<void> {
  const { subject, kind } = discrepancy;
  // Nothing can be looked up: the list, which this run has read, has no such record any more.
  if (NAMELESS_SUBJECTS.some((each) => each === subject)) {
    return resolveDiscrepancy(deps.db, runId, discrepancy);
  }
  const differs = isShipmentKind(discrepancy)
    ? await compareShipmentNow(deps, runId, subject)
    : await comparePaymentNow(deps, runId, subject);
  // Another discrepancy of the same subject has been recorded by now; this one is resolved.
  if (differs !== kind && differs !== 'in_flight') {
    await resolveDiscrepancy(deps.db, runId, discrepancy);
  }
}

function isShipmentKind({ kind, subject }: FoundDiscrepancy): boolean {
  switch (kind) {
    case 'not_understood':
      return isOrderId(subject);
    case 'reservation_without_order':
    case 'reservation':
    case 'reserved_lines':
    case 'shipment':
      return true;
    case 'charge_without_order':
    case 'second_payment':
    case 'payment_missing':
    case 'payment_state':
    case 'payment_amount':
    case 'captured_amount':
    case 'refunded_amount':
      return false;
  }
}
