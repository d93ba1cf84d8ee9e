/**
 * The invariants as operators see them. Every asker within a few seconds gets the same result: the
 * queries read whole tables, and one console in each of ten browsers must not make ten of them.
 */
import { cachified, type CacheEntry } from '@epic-web/cachified';
import type { Database } from '../../prisma/client/client.ts';
import { checkInvariants, type InvariantResult } from '../../prisma/operations/invariants.ts';

export interface CheckedInvariants {
  readonly results: readonly InvariantResult[];
  /** ISO 8601. */
  readonly checkedAt: string;
}

export type InvariantReader = () => Promise<CheckedInvariants>;

const KEPT_MS = 5_000;
/** The caller waits for it: what is not asked by then is `unchecked`. */
const TIMEOUT_MS = 10_000;

/** Checks when nobody has done so within the last seconds. Rejects when the database is away. */
export function createInvariantReader(db: Database): InvariantReader {
  const cache = new Map<string, CacheEntry<CheckedInvariants>>();
  return () =>
    cachified({
      key: 'invariants',
      cache,
      ttl: KEPT_MS,
      fallbackToCache: false,
      async getFreshValue() {
        const checkedAt = new Date().toISOString();
        return { results: await checkInvariants(db, { timeoutMs: TIMEOUT_MS }), checkedAt };
      },
    });
}
