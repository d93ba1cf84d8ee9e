import { describe, expect, test } from 'vitest';
import { retryAfterOf } from '../../gateways/resilience/retry-after.ts';

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  test.each([
    ['120', 120_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['9999999999', 24 * 3_600_000],
    ['soon', null],
    ['-5', null],
    [undefined, null],
  ])('the Retry-After value "%s" is read as %s ms', (value, waitMs) => {
    expect(retryAfterOf(value, now)).toBe(waitMs);
  });
});
