import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createStaleCache, type StaleCache } from '../../services/stale-cache.ts';
import { times } from '../support/times.ts';

interface Price {
  readonly minor: number;
}

const AWAY = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const FRESH_MS = 30_000;
const STALE_MS = 600_000;

/** A source whose answers the test releases. */
function createSource() {
  const waiting: ((price: Price | null) => void)[] = [];
  const load = () => new Promise<Price | null>((resolve) => void waiting.push(resolve));
  return { waiting, load };
}

const priced = (minor: number) => () => Promise.resolve({ minor });
const away = () => Promise.reject(AWAY);

let cache: StaleCache<Price>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  cache = createStaleCache<Price>({ freshMs: FRESH_MS, staleMs: STALE_MS, maxSize: 100 });
});

describe('a cache that outlives its source', () => {
  test('a thousand readers of one key are one load, also when it was outdated', async () => {
    for (const minor of [1, 2]) {
      const source = createSource();
      const readers = times(1_000, () => cache.read('mug', source.load, true));
      expect(source.waiting).toHaveLength(1);
      source.waiting[0]?.({ minor });
      const read = await Promise.all(readers);
      expect(new Set(read.map(({ value, from }) => `${value?.minor} ${from}`))).toEqual(
        new Set([`${minor} database`]),
      );
      expect(await cache.read('mug', away, true)).toMatchObject({
        from: 'cache',
        value: { minor },
      });
      cache.invalidate();
    }
  });

  test('a load that began before a change is not kept after it and is given to no later reader', async () => {
    const source = createSource();
    const before = cache.read('mug', source.load, true);
    cache.invalidate();
    const after = cache.read('mug', source.load, true);
    expect(source.waiting).toHaveLength(2);
    source.waiting[1]?.({ minor: 2 });
    source.waiting[0]?.({ minor: 1 });
    expect([(await before).value, (await after).value]).toEqual([{ minor: 1 }, { minor: 2 }]);
    expect((await cache.read('mug', away, true)).value).toEqual({ minor: 2 });
  });

  test('an old copy is given as stale with its age while the source is away, and not beyond the limit', async () => {
    await cache.read('mug', priced(1), true);
    vi.advanceTimersByTime(FRESH_MS + 11_000);
    expect(await cache.read('mug', away, true)).toEqual({
      value: { minor: 1 },
      from: 'stale',
      ageMs: 41_000,
      freshForMs: -11_000,
    });
    await expect(cache.read('mug', away, false)).rejects.toBe(AWAY);
    await expect(cache.read('cup', away, true)).rejects.toBe(AWAY);
    vi.advanceTimersByTime(STALE_MS);
    await expect(cache.read('mug', away, true)).rejects.toBe(AWAY);
  });

  test('an error that is none of an outage is thrown, however good the copy', async () => {
    await cache.read('mug', priced(1), true);
    cache.invalidate();
    const bug = () => Promise.reject(new TypeError('a bug'));
    await expect(cache.read('mug', bug, true)).rejects.toThrow('a bug');
  });

  test('a slow source is waited for briefly, then asked by one reader a second until it answers', async () => {
    await cache.read('mug', priced(1), true);
    vi.advanceTimersByTime(FRESH_MS);
    const source = createSource();
    const first = cache.read('mug', source.load, true);
    await vi.advanceTimersByTimeAsync(250);
    expect(await first).toMatchObject({ from: 'stale', value: { minor: 1 } });
    await vi.advanceTimersByTimeAsync(1_000);
    const readers = times(5, () => cache.read('mug', source.load, true));
    const settled: string[] = [];
    for (const reader of readers) void reader.then(({ from }) => settled.push(from));
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).toEqual(Array(4).fill('stale'));
    source.waiting[0]?.({ minor: 2 });
    expect(await readers[0]).toMatchObject({ from: 'database', value: { minor: 2 } });
    expect(await cache.read('mug', away, true)).toMatchObject({ from: 'cache' });
  });

  test('an outdated copy is waited for longer than an expired one', async () => {
    await cache.read('mug', priced(1), true);
    cache.invalidate();
    const source = createSource();
    const reader = cache.read('mug', source.load, true);
    await vi.advanceTimersByTimeAsync(1_999);
    source.waiting[0]?.({ minor: 2 });
    expect(await reader).toMatchObject({ from: 'database', value: { minor: 2 } });
  });

  test('what is gone at the source is not kept', async () => {
    await cache.read('mug', priced(1), true);
    cache.invalidate();
    await cache.read('mug', () => Promise.resolve(null), true);
    expect(cache.has('mug')).toBe(false);
  });

  test('no more is kept than its size allows, the longest unused going first', async () => {
    const small = createStaleCache<readonly number[]>({
      freshMs: FRESH_MS,
      staleMs: STALE_MS,
      maxSize: 5,
      sizeOf: (page) => page.length,
    });
    for (const key of ['a', 'b', 'c']) {
      await small.read(key, () => Promise.resolve([1, 2]), true);
    }
    expect(['a', 'b', 'c'].map(small.has)).toEqual([false, true, true]);
  });
});
