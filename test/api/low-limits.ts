/** A door so narrow that a few requests fill it. */
import type { AdmissionLimits } from '../../api/limits/concurrency-limit.ts';

export const LIMITS: AdmissionLimits = {
  maxRunning: 2,
  minRunning: 2,
  maxWaiting: 3,
  maxStanding: 1,
  standingAfterMs: 60_000,
  maxWaitMs: 60_000,
};

/** A client that stays on the line. */
export const listening = (): AbortSignal => new AbortController().signal;

export const times = <T>(count: number, work: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => work(index));
