/** The one table of limits: what a deployment may change in it. */
import { expect, test } from 'vitest';
import { createLimits } from '../../gateways/resilience/limits.ts';

const GUARDS = 8;

test('every open breaker probes after one minute by default', () => {
  const waits = JSON.stringify(createLimits()).match(/"halfOpenAfterMs":60000\b/g);
  expect(waits).toHaveLength(GUARDS);
});

test('a shorter wait before probing applies to every breaker and changes no other limit', () => {
  const usual = JSON.stringify(createLimits());
  const sooner = usual.replaceAll('"halfOpenAfterMs":60000', '"halfOpenAfterMs":2000');
  expect(JSON.stringify(createLimits(2_000))).toBe(sooner);
});
