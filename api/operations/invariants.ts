/**
 * The last result of the invariants. The queries read whole tables, so callers within a few seconds
 * share one result, and those who only show it take an older one.
 */
import type { Database } from '../../prisma/client/client.ts';
import { checkInvariants, type InvariantResult } from '../../prisma/operations/invariants.ts';

export interface CheckedInvariants {
  readonly results: readonly InvariantResult[];
  /** ISO 8601. */
  readonly checkedAt: string;
}

/** `maxAgeMs`: a result that is older is not taken. */
export type InvariantReader = (maxAgeMs: number) => Promise<CheckedInvariants>;

/** The caller waits for the result. Invariants not reached by then are `unchecked`. */
const TIMEOUT_MS = 10_000;

/** Rejects when the database is unavailable. */
export function createInvariantReader(db: Database): InvariantReader {
  let last: (CheckedInvariants & { readonly endedAtMs: number }) | null = null;
  let running: Promise<CheckedInvariants> | null = null;
  const check = async (): Promise<CheckedInvariants> => {
    const checkedAt = new Date().toISOString();
    const results = await checkInvariants(db, { timeoutMs: TIMEOUT_MS });
    last = { results, checkedAt, endedAtMs: Date.now() };
    return last;
  };
  return (maxAgeMs) => {
    if (last !== null && Date.now() - last.endedAtMs <= maxAgeMs) return Promise.resolve(last);
    running ??= check().finally(() => {
      running = null;
    });
    return running;
  };
}
