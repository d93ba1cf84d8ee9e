import { describe, expect, test } from 'vitest';
import { readOptions } from '../../tools/audit/options.ts';
import { UsageError } from '../../tools/usage.ts';
import { exitCodeOf, jsonReport, textReport } from '../../tools/audit/report.ts';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';

const HOLDS: InvariantResult = {
  name: 'stock_bounds',
  title: 'Never less than nothing',
  holds: 'always',
  violations: 0,
  examples: [],
  unchecked: null,
  tookMs: 12,
};
const VIOLATED: InvariantResult = {
  ...HOLDS,
  name: 'order_totals',
  violations: 3,
  examples: [{ subject: 'ord_1', detail: 'total 1, lines 2' }],
};
const UNCHECKED: InvariantResult = { ...HOLDS, name: 'elsewhere', unchecked: 'no\n  answer' };

describe('the exit code', () => {
  test('the exit code is 0 when all invariants hold, 1 on a violation and 2 when something is unchecked', () => {
    expect(exitCodeOf([HOLDS])).toBe(0);
    expect(exitCodeOf([HOLDS, UNCHECKED])).toBe(2);
    expect(exitCodeOf([HOLDS, UNCHECKED, VIOLATED])).toBe(1);
    // An audit without checks proves nothing.
    expect(exitCodeOf([])).toBe(2);
  });
});

describe('the report', () => {
  test('the text report has a line per invariant with its count and the first violations', () => {
    const lines = textReport([HOLDS, VIOLATED, UNCHECKED]).split('\n');
    expect(lines).toEqual([
      'holds      stock_bounds      0  Never less than nothing',
      'VIOLATED   order_totals      3  Never less than nothing',
      '             ord_1: total 1, lines 2',
      '             and 2 more',
      'unchecked  elsewhere         0  Never less than nothing',
      '             no answer',
      '',
      '1 of 3 hold, 1 violated, 1 unchecked, 0.0 s',
    ]);
  });

  test('the JSON report has every result and the exit code', () => {
    expect(JSON.parse(jsonReport([VIOLATED]))).toMatchObject({
      object: 'audit',
      exit_code: 1,
      invariants: [{ name: 'order_totals', violations: 3, took_ms: 12, unchecked: null }],
    });
  });
});

describe('the command line', () => {
  test('command-line options override their defaults', () => {
    expect(readOptions([])).toMatchObject({ json: false, sample: 20, graceMs: 60_000 });
    const given = readOptions(['--json', '--grace', '5', '--sandbox', 'http://127.0.0.1:4000']);
    expect(given).toMatchObject({ json: true, graceMs: 5_000, sandbox: 'http://127.0.0.1:4000' });
  });

  test.each([[['--grace', 'soon']], [['--grace']], [['--wrong']], [['stray']]])(
    'the command line %j is rejected with a usage error',
    (args) => {
      expect(() => readOptions(args)).toThrow(UsageError);
    },
  );
});
