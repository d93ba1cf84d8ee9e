/**
 * Looks up API keys through a cache. A revoked key is accepted for up to `TTL_MS`; for what is answered
 * without the database, for up to `STALE_MS` while that is slow or away. Guesses cannot take the database
 * from others: few keys that were never valid are looked up at once.
 */
import { bulkhead, BulkheadRejectedError } from 'cockatiel';
import { findApiKey, hashApiKey, type ApiKey } from '../prisma/access/api-keys.ts';
import type { Database } from '../prisma/client/client.ts';
import { createStaleCache } from './stale-cache.ts';

export interface ApiKeyCache {
  /**
   * The active key, or null. `busy`: too many unknown keys are being looked up. Throws when the
   * database is unavailable, unless the key `mayBeStale`: then one that was active is enough.
   */
  find(key: string, options?: { readonly mayBeStale: boolean }): Promise<ApiKey | null | 'busy'>;
}

const TTL_MS = 30_000;
/** As long as the catalog is served without the database. */
const STALE_MS = 3_600_000;
const MAX_KEYS = 1_000;
/** Of unknown keys at once, and waiting. A process that has just started knows none of its clients. */
const MAX_UNKNOWN = { running: 4, queued: 200 } as const;
/** Real keys are far shorter. Avoids hashing megabytes for an unauthenticated caller. */
const MAX_KEY_LENGTH = 200;
const LOCAL_PREFIX = 'hf_local_';

export function createApiKeyCache(options: {
  readonly db: Database;
  /** Refuses the local stack's keys, which are published in the README. */
  readonly refuseLocal: boolean;
}): ApiKeyCache {
  const cache = createStaleCache<ApiKey>({
    freshMs: TTL_MS,
    staleMs: STALE_MS,
    maxSize: MAX_KEYS,
  });
  const unknown = bulkhead(MAX_UNKNOWN.running, MAX_UNKNOWN.queued);
  // Unknown keys are not kept: guesses would evict the real ones.
  const lookUp = async (keyHash: string, mayBeStale: boolean): Promise<ApiKey | null> =>
    (await cache.read(keyHash, () => findApiKey(options.db, keyHash), mayBeStale)).value;
  /** Those of unknown keys: all requests with one key wait for the same. */
  const pending = new Map<string, Promise<ApiKey | null | 'busy'>>();
  const lookUpUnknown = (keyHash: string): Promise<ApiKey | null | 'busy'> => {
    const found = unknown
      .execute(() => lookUp(keyHash, false))
      .catch((error: unknown) => {
        if (error instanceof BulkheadRejectedError) return 'busy' as const;
        throw error;
      })
      .finally(() => pending.delete(keyHash));
    pending.set(keyHash, found);
    return found;
  };
  return {
    async find(key, { mayBeStale } = { mayBeStale: false }) {
      if (key.length > MAX_KEY_LENGTH) return null;
      if (options.refuseLocal && key.startsWith(LOCAL_PREFIX)) return null;
      const keyHash = hashApiKey(key);
      // An expired entry is of a key that was valid once.
      if (cache.has(keyHash)) return lookUp(keyHash, mayBeStale);
      return pending.get(keyHash) ?? lookUpUnknown(keyHash);
    },
  };
}
