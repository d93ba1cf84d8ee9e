/** Limits so low that a few requests reach them. */
import type { ConcurrencyLimits, Permit, Rejection } from '../../api/limits/concurrency-limit.ts';

export const LIMITS: ConcurrencyLimits = {
  maxRunning: 2,
  minRunning: 2,
  maxQueued: 3,
  maxStalled: 1,
  stalledAfterMs: 60_000,
  maxWaitMs: 60_000,
};

/** The signal of a client that stays connected. */
export const connected = (): AbortSignal => new AbortController().signal;

/** Fails the test when no permit was given. */
export function permitOf(result: Permit | Rejection | undefined): Permit {
  if (typeof result !== 'object') throw new Error(`no permit: ${result ?? 'nothing'}`);
  return result;
}
