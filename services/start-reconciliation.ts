/** Starts the workflow of a requested reconciliation. */
import type { Database } from '../prisma/client/client.ts';
import {
  markReconciliationStarted,
  type Reconciliation,
} from '../prisma/operations/reconciliation-runs.ts';
import type { ReconciliationClient } from '../temporal/reconciliation-client.ts';

export interface ReconciliationDeps {
  readonly db: Database;
  readonly reconciliationClient: ReconciliationClient;
}

/** Safe to repeat. Returns false when Temporal is unavailable. */
export async function startRequestedReconciliation(
  { db, reconciliationClient }: ReconciliationDeps,
  { id, scope }: Pick<Reconciliation, 'id' | 'scope'>,
): Promise<boolean> {
  const { kind } = await reconciliationClient.startReconciliation({ scope, reconciliationId: id });
  if (kind === 'unavailable') return false;
  await markReconciliationStarted(db, id);
  return true;
}
