/** Starts reconciliation workflows on request. Scheduled ones: worker/schedules.ts. */
import type { Client } from '@temporalio/client';
import {
  RECONCILE_WORKFLOW,
  reconcileStartOptions,
  type ReconcileScope,
} from '../workflows/operations/contract.ts';
import type { StartOutcome } from './checkout-client.ts';
import { createTemporalDeadline } from './deadline.ts';
import { startOnce } from './start.ts';

export interface ReconciliationClient {
  /** Starts the workflow of a reconciliation. Safe to repeat. */
  startReconciliation(input: {
    readonly scope: ReconcileScope;
    readonly reconciliationId: string;
  }): Promise<StartOutcome>;
}

const START_DEADLINE_MS = 5_000;

export function createReconciliationClient(options: {
  readonly client: () => Client | null;
}): ReconciliationClient {
  const withDeadline = createTemporalDeadline(options.client);
  return {
    startReconciliation: (input) =>
      withDeadline(START_DEADLINE_MS, (client) =>
        startOnce(client, RECONCILE_WORKFLOW, reconcileStartOptions(input)),
      ),
  };
}
