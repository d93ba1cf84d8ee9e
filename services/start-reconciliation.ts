/** Starts the workflow of a requested reconciliation. */
import type { Database } from '../prisma/client/client.ts';
import {
  closeReconciliation,
  markReconciliationStarted,
  type Reconciliation,
} from '../prisma/operations/reconciliation-runs.ts';
import type { ReconciliationClient } from '../temporal/reconciliation-client.ts';

export interface ReconciliationDeps {
  readonly db: Database;
  readonly reconciliationClient: ReconciliationClient;
}

/**
 * Safe to repeat. Returns false when Temporal is unavailable. A run that Temporal refuses has failed: an
 * open one would keep all others from running.
 */
export async function startRequestedReconciliation(
  { db, reconciliationClient }: ReconciliationDeps,
  { id, scope }: Pick<Reconciliation, 'id' | 'scope'>,
): Promise<boolean> {
  const { kind } = await reconciliationClient.startReconciliation({ scope, reconciliationId: id });
  if (kind === 'unavailable') return false;
  if (kind === 'rejected') await closeReconciliation(db, id, { status: 'failed', checked: {} });
  else await markReconciliationStarted(db, id);
  return true;
}
