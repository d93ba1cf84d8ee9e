/** Starts reconciliation workflows on request. Scheduled ones: worker/schedules.ts. */
import type { Client } from '@temporalio/client';
import {
  RECONCILE_WORKFLOW,
  reconcileStartOptions,
  type ReconcileScope,
} from '../workflows/operations/contract.ts';
import {
  createTemporalDeadline,
  ignoreAlreadyStarted,
  type Rejected,
  type Unavailable,
} from './deadline.ts';
import { startShown } from './start.ts';

export interface ReconciliationClient {
  /** Starts the workflow of a reconciliation. Safe to repeat. */
  startReconciliation(input: {
    readonly scope: ReconcileScope;
    readonly reconciliationId: string;
  }): Promise<{ readonly kind: 'started' } | Unavailable | Rejected>;
}

const START_DEADLINE_MS = 5_000;

export function createReconciliationClient(options: {
  readonly client: () => Client | null;
}): ReconciliationClient {
  const withDeadline = createTemporalDeadline(options.client);
  return {
    startReconciliation: (input) =>
      withDeadline(START_DEADLINE_MS, async ({ workflow }) => {
        const start = startShown(reconcileStartOptions(input), (shown) =>
          workflow.start(RECONCILE_WORKFLOW, shown),
        );
        await ignoreAlreadyStarted(start);
        return { kind: 'started' };
      }),
  };
}
