/** Who holds an API key, cached: a revoked key lives on for `TTL_MS` at most. */
import { cachified, type CacheEntry } from '@epic-web/cachified';
import { LRUCache } from 'lru-cache';
import { findApiKey, hashApiKey, type ApiKey } from '../prisma/access/api-keys.ts';
import type { Database } from '../prisma/client/client.ts';

export interface ApiKeyCache {
  /** The live key, or null. Throws when the database cannot be asked. */
  find(key: string): Promise<ApiKey | null>;
}

const TTL_MS = 30_000;
const MAX_KEYS = 1_000;
/** Ours are far shorter; hashing megabytes for a stranger is work we need not do. */
const MAX_KEY_LENGTH = 200;
const LOCAL_PREFIX = 'hf_local_';

export function createApiKeyCache(options: {
  readonly db: Database;
  /** Refuses the keys every reader of the README knows. */
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
          // Guesses are not kept: a stream of them would push the real keys out.
          if (found === null) metadata.ttl = -1;
          return found;
        },
      });
    },
  };
}
