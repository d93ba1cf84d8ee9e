/** The API's view of the workflows that run by the clock, for those a person may start as well. */
import type { Client } from '@temporalio/client';
import {
  RECONCILE_WORKFLOW,
  reconcileStartOptions,
  type ReconcileScope,
} from '../workflows/operations/contract.ts';
import { createTemporalDeadline, ignoreAlreadyStarted } from './deadline.ts';

export interface ReconciliationClient {
  /** Starts the run that was opened, unless that was done. `unavailable`: no Temporal. */
  startReconciliation(input: {
    readonly scope: ReconcileScope;
    readonly reconciliationId: string;
  }): Promise<{ readonly kind: 'started' | 'unavailable' }>;
}

const START_DEADLINE_MS = 5_000;

/** `client` is null while there is no connection yet. */
export function createReconciliationClient(options: {
  readonly client: () => Client | null;
}): ReconciliationClient {
  const withDeadline = createTemporalDeadline(options.client);
  return {
    async startReconciliation(input) {
      const started = await withDeadline(START_DEADLINE_MS, ({ workflow }) =>
        ignoreAlreadyStarted(workflow.start(RECONCILE_WORKFLOW, reconcileStartOptions(input))),
      );
      return { kind: started === null ? 'unavailable' : 'started' };
    },
  };
}
