import { expect, test } from 'vitest';
import { createRateLimit } from '../../api/limits/rate-limit.ts';
import { times } from '../support/times.ts';

test('a key is refused after its uses of a window until the window ends, and another key is not', () => {
  let nowMs = 0;
  const limit = createRateLimit({ max: 3, windowMs: 10_000, maxKeys: 10, nowMs: () => nowMs });
  expect(times(3, () => limit.take('a'))).toEqual([null, null, null]);
  nowMs = 4_000;
  expect(limit.take('a')).toBe(6);
  expect(limit.take('b')).toBeNull();
  nowMs = 10_000;
  expect(times(4, () => limit.take('a'))).toEqual([null, null, null, 10]);
});

test('a rate limit counts no more keys than it may', () => {
  const limit = createRateLimit({ max: 1, windowMs: 10_000, maxKeys: 2, nowMs: () => 0 });
  expect(['a', 'b', 'b'].map(limit.take)).toEqual([null, null, 10]);
  // The third key takes the place of the one that was used longest ago.
  expect(['c', 'a'].map(limit.take)).toEqual([null, null]);
});
