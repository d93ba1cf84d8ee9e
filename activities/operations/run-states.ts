/** Why a workflow ended before its work was done, as a dead letter shows it. */
import type { RunState } from '../../workflows/operations/contract.ts';

/** The run ended or keeps failing: an operator decides how to continue. */
export type EndedState = Exclude<RunState, 'running' | 'missing'>;

export const END_REASONS: Readonly<Record<EndedState, string>> = {
  failing: 'the workflow task keeps failing',
  completed: 'the workflow ended before its work was done',
  failed: 'the workflow failed',
  cancelled: 'the workflow was cancelled before its work was done',
  terminated: 'the workflow was terminated',
  timed_out: 'the workflow timed out',
};
