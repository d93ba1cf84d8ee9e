/** What Temporal said about a workflow: why it ended, as a dead letter shows it, or that it is away. */
import { OutageError } from '../../telemetry/items.ts';
import type { RunState } from '../../workflows/operations/contract.ts';
import type { NotDone } from './dependencies.ts';

/** The run ended or keeps failing: an operator decides how to continue. */
type EndedState = Exclude<RunState, 'running' | 'missing'>;

export const END_REASONS: Readonly<Record<EndedState, string>> = {
  failing: 'the workflow task keeps failing',
  completed: 'the workflow ended before its work was done',
  failed: 'the workflow failed',
  cancelled: 'the workflow was cancelled before its work was done',
  terminated: 'the workflow was terminated',
  timed_out: 'the workflow timed out',
};

/** Why a workflow needs attention that Temporal refuses to start. */
export function startRefused(reason: string): string {
  return `Temporal refuses to start the workflow: ${reason}`;
}

/** Throws an OutageError when Temporal could not be reached. */
export function requireReached<T extends { readonly kind: string }>(
  outcome: T,
): Exclude<T, { readonly kind: 'unavailable' }> {
  if (isReached(outcome)) return outcome;
  throw new OutageError('Temporal cannot be reached');
}

/** The same; throws what Temporal refuses, too. */
export function requireDone<T extends { readonly kind: string }>(outcome: T): Exclude<T, NotDone> {
  if (isDone(outcome)) return outcome;
  requireReached(outcome);
  throw new Error('Temporal refuses the request');
}

function isReached<T extends { readonly kind: string }>(
  outcome: T,
): outcome is Exclude<T, { readonly kind: 'unavailable' }> {
  return outcome.kind !== 'unavailable';
}

function isDone<T extends { readonly kind: string }>(outcome: T): outcome is Exclude<T, NotDone> {
  return outcome.kind !== 'unavailable' && outcome.kind !== 'rejected';
}
