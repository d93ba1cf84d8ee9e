/**
 * Counts uses per key in windows of fixed length, in this process alone: with several processes the limit
 * is that many times as high. It is bounded: when more keys are counted than `maxKeys`, the one that was
 * used longest ago begins anew.
 */
import { LRUCache } from 'lru-cache';

export interface RateLimit {
  /** Counts one use of the key. Null when it is within the limit, else the seconds until it is again. */
  take(key: string): number | null;
}

export function createRateLimit(limit: {
  readonly max: number;
  readonly windowMs: number;
  readonly maxKeys: number;
  /** A monotonic clock, in milliseconds; the process's own unless a test replaces it. */
  readonly nowMs?: () => number;
}): RateLimit {
  const { max, windowMs, maxKeys, nowMs = () => performance.now() } = limit;
  const windows = new LRUCache<string, { readonly endsAtMs: number; used: number }>({
    max: maxKeys,
  });
  return {
    take(key) {
      const now = nowMs();
      let window = windows.get(key);
      if (window === undefined || window.endsAtMs <= now) {
        window = { endsAtMs: now + windowMs, used: 0 };
        windows.set(key, window);
      }
      window.used += 1;
      return window.used <= max ? null : (window.endsAtMs - now) / 1_000;
    },
  };
}
