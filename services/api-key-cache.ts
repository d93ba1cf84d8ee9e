/** Looks up API keys through a cache. A revoked key is accepted for up to `TTL_MS`. */
import { cachified, type CacheEntry } from '@epic-web/cachified';
import { LRUCache } from 'lru-cache';
import { findApiKey, hashApiKey, type ApiKey } from '../prisma/access/api-keys.ts';
import type { Database } from '../prisma/client/client.ts';

export interface ApiKeyCache {
  /** The active key, or null. Throws when the database is unavailable. */
  find(key: string): Promise<ApiKey | null>;
}

const TTL_MS = 30_000;
const MAX_KEYS = 1_000;
/** Real keys are far shorter. Avoids hashing megabytes for an unauthenticated caller. */
const MAX_KEY_LENGTH = 200;
const LOCAL_PREFIX = 'hf_local_';

export function createApiKeyCache(options: {
  readonly db: Database;
  /** Refuses the local stack's keys, which are published in the README. */
  readonly refuseLocal: boolean;
}): ApiKeyCache {
  const cache = new LRUCache<string, CacheEntry>({ max: MAX_KEYS });
  return {
    async find(key) {
      if (key.length > MAX_KEY_LENGTH) return null;
      if (options.refuseLocal && key.startsWith(LOCAL_PREFIX)) return null;
      const keyHash = hashApiKey(key);
      return cachified<ApiKey | null>({
        key: keyHash,
        cache,
        ttl: TTL_MS,
        fallbackToCache: false,
        getFreshValue: async ({ metadata }) => {
          const found = await findApiKey(options.db, keyHash);
          // Unknown keys are not cached: guesses would evict the real ones.
          if (found === null) metadata.ttl = -1;
          return found;
        },
      });
    },
  };
}
