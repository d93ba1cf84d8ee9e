import { describe, expect, test } from 'vitest';
import { judge, printed, type Proven } from './coverage.ts';
import { expectationOf, parseCellIds } from './table.ts';

const proven = (changes: Partial<Proven>): Proven => ({
  ids: ['S2/F2'],
  passed: true,
  fired: 1,
  ...changes,
});

describe('the report of the fault matrix', () => {
  test('a cell passes only when each of its tests passed', () => {
    expect(judge([proven({})], []).state('S2/F2')).toBe('ok');
    const coverage = judge([proven({}), proven({ passed: false })], []);
    expect(coverage.state('S2/F2')).toBe('FAIL');
  });

  test('a cell whose fault never fired fails although its test passed', () => {
    expect(judge([proven({ fired: 0 })], []).state('S2/F2')).toBe('FAIL');
  });

  test('cells and failpoints without a test are missing, and cells that could not run are not', () => {
    const notRun = proven({ ids: ['infra/disk-full'], passed: false, fired: 0, notRun: 'no room' });
    const { missing, all, passed } = judge([proven({}), notRun], ['commit.order.placed:after']);
    expect(missing).toContain('S2/F3');
    expect(missing).toContain('failpoint/commit.order.placed:after');
    expect(missing).not.toContain('S2/F2');
    expect(missing).not.toContain('infra/disk-full');
    expect([passed, missing.length]).toEqual([1, all - 1]);
  });

  test('the report shows the state of steps, the reason of a cell that was not run, and the counts', () => {
    const failpoints = ['temporal.start:before'];
    const notRun = proven({ ids: ['infra/disk-full'], passed: false, fired: 0, notRun: 'no room' });
    const text = printed(judge([proven({}), notRun], failpoints), {
      failpoints,
      tookMs: 12_000,
      isFull: true,
    });
    expect(text).toMatch(/S2 {2}authorize +- +ok +-/);
    expect(text).toMatch(/disk-full +not run: no room/);
    expect(text).toMatch(/temporal.start:before +-/);
    expect(text).toMatch(/cells: 1 of \d+ passed, 1 faults fired, 12 s$/);
  });

  test('a title that names a cell outside the table is rejected', () => {
    expect(expectationOf('S2/F2')).toContain('authorized once');
    expect(parseCellIds('[S2/F2] [infra/clock] an order')).toEqual(['S2/F2', 'infra/clock']);
    expect(() => parseCellIds('[infra/nothing] an order')).toThrow('no such cell');
  });
});
