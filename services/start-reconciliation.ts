/** Starting the workflow of a reconciliation that was asked for. */
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

/** Starts the workflow of a run that was asked for; again changes nothing. False: no Temporal. */
export async function startOpened(
  { db, reconciliationClient }: ReconciliationDeps,
  { id, scope }: Pick<Reconciliation, 'id' | 'scope'>,
): Promise<boolean> {
  const { kind } = await reconciliationClient.startReconciliation({ scope, reconciliationId: id });
  if (kind === 'unavailable') return false;
  await markReconciliationStarted(db, id);
  return true;
}
