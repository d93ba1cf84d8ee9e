/** Why a workflow does not carry its work any more, in the words a person reads in a dead letter. */
import type { RunState } from '../../workflows/operations/contract.ts';

/** Somebody or something decided against the run: a person decides what becomes of its work. */
export type EndedState = Exclude<RunState, 'running' | 'missing'>;

export const END_REASONS: Readonly<Record<EndedState, string>> = {
  failing: 'the workflow task fails again and again',
  completed: 'the workflow ended before its work was done',
  failed: 'the workflow failed',
  cancelled: 'the workflow was cancelled before its work was done',
  terminated: 'the workflow was terminated',
  timed_out: 'the workflow timed out',
};
