/**
 * Looks up API keys through a cache. A revoked key is accepted for up to `TTL_MS`. Guesses cannot take
 * the database from others: few keys that were never valid are looked up at once.
 */
import { bulkhead, BulkheadRejectedError } from 'cockatiel';
import { cachified, type CacheEntry } from '@epic-web/cachified';
import { LRUCache } from 'lru-cache';
import { findApiKey, hashApiKey, type ApiKey } from '../prisma/access/api-keys.ts';
import type { Database } from '../prisma/client/client.ts';

export interface ApiKeyCache {
  /**
   * The active key, or null. `busy`: too many unknown keys are being looked up. Throws when the
   * database is unavailable.
   */
  find(key: string): Promise<ApiKey | null | 'busy'>;
}

const TTL_MS = 30_000;
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
  const cache = new LRUCache<string, CacheEntry>({ max: MAX_KEYS });
  const unknown = bulkhead(MAX_UNKNOWN.running, MAX_UNKNOWN.queued);
  const lookUp = (keyHash: string): Promise<ApiKey | null> =>
    cachified<ApiKey | null>({
      key: keyHash,
      cache,
      ttl: TTL_MS,
      fallbackToCache: false,
      getFreshValue: async ({ metadata }) => {
        const found = await findApiKey(options.db, keyHash);
        if (found === null) {
          // Unknown keys are not cached: guesses would evict the real ones.
          metadata.ttl = -1;
          cache.delete(keyHash);
        }
        return found;
      },
    });
  /** Those of unknown keys: all requests with one key wait for the same. */
  const pending = new Map<string, Promise<ApiKey | null | 'busy'>>();
  const lookUpUnknown = (keyHash: string): Promise<ApiKey | null | 'busy'> => {
    const found = unknown
      .execute(() => lookUp(keyHash))
      .catch((error: unknown) => {
        if (error instanceof BulkheadRejectedError) return 'busy' as const;
        throw error;
      })
      .finally(() => pending.delete(keyHash));
    pending.set(keyHash, found);
    return found;
  };
  return {
    async find(key) {
      if (key.length > MAX_KEY_LENGTH) return null;
      if (options.refuseLocal && key.startsWith(LOCAL_PREFIX)) return null;
      const keyHash = hashApiKey(key);
      // An expired entry is of a key that was valid once.
      if (cache.has(keyHash)) return lookUp(keyHash);
      return pending.get(keyHash) ?? lookUpUnknown(keyHash);
    },
  };
}
