import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAIL_LIMITS, WAREHOUSE_LIMITS } from '../../gateways/resilience/limits.ts';
import { listPatterns, readOptions } from '../../tools/demo/options.ts';
import { PATTERNS } from '../../tools/demo/patterns.ts';
import { SCENARIOS } from '../../tools/demo/scenarios.ts';
import { mismatches } from '../../tools/demo/verdict.ts';
import { WORK } from '../../tools/demo/work.ts';
import { phoneOf } from '../../tools/demo/work/later.ts';
import { isPlace } from '../../local/sandbox/faults.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { read } from '../support/documents.ts';
import { times } from '../support/times.ts';

describe('the demo', () => {
  it('the demo injects only faults that the sandbox knows', () => {
    const faults = SCENARIOS.flatMap(({ fault }) => fault ?? []);
    expect(faults.length).toBeGreaterThan(0);
    for (const { place } of faults) {
      const [provider = '', operation = ''] = place.split('/');
      expect(isPlace({ provider, operation }), place).toBe(true);
    }
  });

  it('no demo scenario repeats a fault often enough to open a circuit breaker', () => {
    const breakAfter = Math.min(
      MAIL_LIMITS.send.breakAfter,
      WAREHOUSE_LIMITS.reserve.breakAfter,
      WAREHOUSE_LIMITS.ship.breakAfter,
    );
    for (const { name, fault } of SCENARIOS)
      expect(fault?.times ?? 0, name).toBeLessThan(breakAfter);
  });

  it("an order that ended as expected passes the demo's check in any order of effects and mails", () => {
    for (const { expected } of SCENARIOS) {
      const effects = Object.fromEntries(Object.entries(expected.effects).toReversed());
      expect(
        mismatches(expected, { ...expected, effects, mails: expected.mails.toReversed() }),
      ).toEqual([]);
    }
  });

  it.each([
    ['a second charge', { effects: { authorize: 1, reserve: 1, capture: 2, ship: 1 } }, 'effects'],
    ['a missing mail', { mails: ['confirmed'] }, 'mails'],
    ['units that remain held', { stillHeld: 2 }, 'stillHeld'],
    ['a workflow that is running', { workflow: 'running' }, 'workflow'],
    ['no order', { status: null }, 'status'],
  ])("the demo's check reports exactly one mismatch for %s", (_name, change, field) => {
    const expected = SCENARIOS[0]?.expected;
    if (expected === undefined) throw new Error('there are no scenarios');
    const found = mismatches(expected, { ...expected, ...change });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${field} is .*, expected `));
  });
});

describe('the demo of a pattern', () => {
  it('the demos of patterns and work arm only faults that the sandbox knows', () => {
    const sources = ['patterns', 'work'].flatMap((name) => {
      const folder = join('tools', 'demo', name);
      return readdirSync(join(PROJECT, folder)).map((file) => read(join(folder, file)));
    });
    const armed = [...sources.join('').matchAll(/'([a-z]+)\/([a-z]+)': \{ mode: '/g)];
    expect(armed.length).toBeGreaterThan(8);
    for (const [place, provider = '', operation = ''] of armed) {
      expect(isPlace({ provider, operation }), place).toBe(true);
    }
  });

  it('runs of the demo that begin at different times send their SMS to different numbers', () => {
    const begun = times(100, (n) => Date.UTC(2026, 0, 1) + n * 60_007);
    const phones = begun.map((at) => phoneOf(at.toString(36)));
    expect(new Set(phones).size).toBe(begun.length);
    for (const phone of phones) expect(phone).toMatch(/^\+49151\d{7}$/);
  });

  it('a demo that does not exist is refused with the names of those that do', () => {
    const names = Object.keys(PATTERNS);
    expect(() => readOptions(['sagas'])).toThrow(
      `There is no pattern sagas. Known: ${names.join(', ')}.`,
    );
    expect(() => readOptions(['constructor'])).toThrow('There is no pattern constructor.');
    expect(() => readOptions(['--lists'])).toThrow('--lists');
  });

  it('without a name the demo runs its scenarios, and lists the patterns or shows each kind of work on request', () => {
    expect(readOptions([])).toEqual({ list: false, patterns: [] });
    const scenes = readOptions(['work', 'saga']).patterns.map(({ name }) => name);
    expect(scenes).toEqual([...Object.keys(WORK), 'saga']);
    expect(readOptions(['--list']).list).toBe(true);
    expect(readOptions(['saga', 'cache']).patterns.map(({ name }) => name)).toEqual([
      'saga',
      'cache',
    ]);
    for (const [name, { story }] of Object.entries(PATTERNS)) {
      expect(listPatterns()).toContain(name);
      expect(listPatterns()).toContain(story);
    }
  });
});
