/** The one table of limits: what a deployment may change in it. */
import { expect, test } from 'vitest';
import { createLimits, type LimitSettings } from '../../gateways/resilience/limits.ts';

const GUARDS = 10;

interface Setting {
  readonly name: keyof LimitSettings;
  readonly value: number;
  readonly limit: string;
  readonly usual: number;
  readonly guards: number;
}

const SETTINGS: readonly Setting[] = [
  { name: 'probeAfterMs', value: 2_000, limit: 'halfOpenAfterMs', usual: 60_000, guards: GUARDS },
  // Mail has twice the window: its calls may take long.
  {
    name: 'breakWindowMs',
    value: 5_000,
    limit: 'breakWindowMs',
    usual: 30_000,
    guards: GUARDS - 1,
  },
  { name: 'breakAfter', value: 7, limit: 'breakAfter', usual: 10, guards: GUARDS },
  { name: 'breakRate', value: 0.9, limit: 'breakRate', usual: 0.5, guards: GUARDS },
  { name: 'authorizeDeadlineMs', value: 4_321, limit: 'deadlineMs', usual: 2_000, guards: 1 },
];

test('a provider that hangs opens the breaker of each guard within its window', () => {
  const guards = Object.values(createLimits()).flatMap((each) => Object.entries(each));
  expect(guards).toHaveLength(GUARDS);
  for (const [name, { breakAfter, maxConcurrent, deadlineMs, breakWindowMs }] of guards) {
    const endedMs = Math.ceil(breakAfter / maxConcurrent) * deadlineMs;
    expect(endedMs, name).toBeLessThanOrEqual(breakWindowMs);
  }
});

test.each(SETTINGS)(
  'the setting $name=$value changes this limit of its guards and no other',
  ({ name, value, limit, usual, guards }) => {
    const changed = JSON.stringify(createLimits({ [name]: value }));
    const written = `"${limit}":${value}`;
    expect(changed.split(written)).toHaveLength(guards + 1);
    const usually = changed
      .replaceAll(written, `"${limit}":${usual}`)
      .replaceAll(`"${limit}":${2 * value}`, `"${limit}":${2 * usual}`);
    expect(usually).toBe(JSON.stringify(createLimits()));
  },
);
