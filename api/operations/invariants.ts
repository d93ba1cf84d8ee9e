/**
 * The cached result of the invariants. The queries read whole tables, so all callers within a few
 * seconds share one result.
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

const CACHE_MS = 5_000;
/** The caller waits for the result. Invariants not reached by then are `unchecked`. */
const TIMEOUT_MS = 10_000;

/** Rejects when the database is unavailable. */
export function createInvariantReader(db: Database): InvariantReader {
  const cache = new Map<string, CacheEntry<CheckedInvariants>>();
  return () =>
    cachified({
      key: 'invariants',
      cache,
      ttl: CACHE_MS,
      fallbackToCache: false,
      async getFreshValue() {
        const checkedAt = new Date().toISOString();
        return { results: await checkInvariants(db, { timeoutMs: TIMEOUT_MS }), checkedAt };
      },
    });
}
