/**
 * A bounded cache in the process that outlives its source, the database. Concurrent loads of one key are
 * one. A copy is used for a time, and until `invalidate`. While the database is slow or unavailable an
 * old copy is given all the same, and is said to be stale (`stale-if-error` of RFC 5861).
 */
import { LRUCache } from 'lru-cache';
import { isDatabaseUnavailable } from '../prisma/client/errors.ts';

export interface Cached<V> {
  readonly value: V;
  /** `stale`: the database did not answer, so the value may have changed. */
  readonly from: 'cache' | 'database' | 'stale';
  readonly ageMs: number;
  /** How long the copy is used without asking; below zero when it is stale. */
  readonly freshForMs: number;
}

export interface StaleCache<V> {
  /**
   * The copy, or what `load` brings; null is not kept. `mayBeStale`: an old copy will do when the
   * database is slow or unavailable. Without one it throws what `load` throws.
   */
  read(key: string, load: () => Promise<V | null>, mayBeStale: boolean): Promise<Cached<V | null>>;
  /** True when there is a copy, however old. */
  has(key: string): boolean;
  /** Every copy may be outdated: each is loaded anew when it is read next. */
  invalidate(): void;
}

/** How long a reader who has an old copy waits for a newer one: of an expired copy, which may be right. */
const EXPIRED_WAIT_MS = 250;
/** Of one that a change has outdated, or may have. */
const OUTDATED_WAIT_MS = 2_000;
/** While the database does not answer, one reader in this time asks it, and the others do not wait. */
const ASK_EVERY_MS = 1_000;

interface Copy<V> {
  readonly value: V;
  readonly loadedAtMs: number;
  readonly generation: number;
}

export function createStaleCache<V extends object>(options: {
  readonly freshMs: number;
  /** Nothing older is given. */
  readonly staleMs: number;
  readonly maxSize: number;
  /** Of a value; each is at least 1. */
  readonly sizeOf?: (value: V) => number;
}): StaleCache<V> {
  const { freshMs, staleMs, maxSize, sizeOf = () => 1 } = options;
  const copies = new LRUCache<string, Copy<V>>({
    maxSize,
    sizeCalculation: ({ value }) => Math.max(1, sizeOf(value)),
  });
  const share = createSharedLoads<V | null>();
  let generation = 0;
  /** Above zero while the database does not answer: from then on it is asked again. */
  let askAtMs = 0;

  /** A load that begins before a change is not kept after it, and no later reader gets it. */
  const loadOnce = (key: string, load: () => Promise<V | null>): Promise<V | null> => {
    const begunIn = generation;
    return share(`${begunIn}/${key}`, async () => {
      const value = await load();
      askAtMs = 0;
      if (begunIn !== generation) return value;
      if (value === null) copies.delete(key);
      else copies.set(key, { value, loadedAtMs: performance.now(), generation });
      return value;
    });
  };

  return {
    async read(key, load, mayBeStale) {
      const now = performance.now();
      const copy = copies.get(key);
      const ageMs = copy === undefined ? Infinity : now - copy.loadedAtMs;
      const isCurrent = copy?.generation === generation;
      if (copy !== undefined && isCurrent && ageMs < freshMs) {
        return { value: copy.value, from: 'cache', ageMs, freshForMs: freshMs - ageMs };
      }
      if (copy === undefined || !mayBeStale || ageMs > staleMs) {
        return loaded(await loadOnce(key, load), freshMs);
      }
      const freshForMs = Math.min(freshMs - ageMs, 0);
      const stale = { value: copy.value, from: 'stale', ageMs, freshForMs } as const;
      if (now < askAtMs) return stale;
      if (askAtMs > 0) askAtMs = now + ASK_EVERY_MS;
      const waitMs = isCurrent ? EXPIRED_WAIT_MS : OUTDATED_WAIT_MS;
      const answer = await answerWithin(waitMs, loadOnce(key, load));
      if (answer !== 'late') return loaded(answer, freshMs);
      askAtMs = performance.now() + ASK_EVERY_MS;
      return stale;
    },
    has: (key) => copies.has(key),
    invalidate() {
      generation += 1;
      askAtMs = 0;
    },
  };
}

function loaded<V>(value: V, freshForMs: number): Cached<V> {
  return { value, from: 'database', ageMs: 0, freshForMs };
}

/** Concurrent loads of one id are one. */
function createSharedLoads<T>(): (id: string, load: () => Promise<T>) => Promise<T> {
  const pending = new Map<string, Promise<T>>();
  return (id, load) => {
    const running = pending.get(id);
    if (running !== undefined) return running;
    const loading = load().finally(() => pending.delete(id));
    pending.set(id, loading);
    return loading;
  };
}

/** `late` also when the database is unavailable. The load continues, and its result is for later readers. */
async function answerWithin<T>(ms: number, load: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, ms, 'late');
  });
  try {
    return await Promise.race([load, late]);
  } catch (error) {
    if (isDatabaseUnavailable(error)) return 'late';
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
