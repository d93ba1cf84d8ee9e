import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, inject, test } from 'vitest';
import { PROJECT } from '../../local/stack/home.ts';
import { CANARIES } from '../support/client.ts';
import { JOB_PATHS } from './job-paths.ts';
import { listHistories, readHistory, textOf, type RecordedHistory } from './histories.ts';
import { PATHS } from './paths.ts';
import { replay } from './replaying.ts';
import { REFUND_PATHS } from './refund-paths.ts';

const NAMES = listHistories();
const ALL_PATHS = [...PATHS, ...REFUND_PATHS, ...JOB_PATHS];
const NOT_DETERMINISTIC = /TMPRL1100/;

const current = { code: readFileSync(inject('workflowBundle'), 'utf8') };

describe('recorded histories', () => {
  test('every path of an order, a refund or a job has a recorded history', () => {
    for (const { name } of ALL_PATHS) expect(NAMES).toContain(name);
  });

  test.each(ALL_PATHS)('the recorded history $name shows its path', ({ name, holds }) => {
    const text = textOf(readHistory(name));
    for (const word of holds) expect(text).toContain(word);
    expect(text).toMatch(/(?:ord|rep|imp|blk)_[0-9a-z]{26}|sales_by_day/);
  });

  test('all recorded histories replay against the current workflows', async () => {
    const results = await replay(current, new Map(NAMES.map((name) => [name, readHistory(name)])));
    expect(results).toEqual(NAMES.map((name) => ({ name, error: null })));
  });

  test.each(NAMES)('the recorded history %s contains no personal or machine data', (name) => {
    const text = textOf(readHistory(name));
    for (const canary of CANARIES) expect(text).not.toContain(canary);
    for (const path of [PROJECT, tmpdir(), 'node_modules', 'file:///']) {
      expect(text).not.toContain(path);
    }
    expect(text).not.toMatch(/identity: \S/);
  });
});

describe('the replay', () => {
  test('a replay fails when the workflow code runs a different step', async () => {
    const code = current.code.replaceAll('.reserveStock({', '.capturePayment({');
    expect(code).not.toBe(current.code);
    const histories = new Map([['shipped', readHistory('shipped')]]);
    const [result] = await replay({ code }, histories);
    expect(result?.error).toMatch(NOT_DETERMINISTIC);
  });

  test('a replay fails when the history contains a different step', async () => {
    const name = 'shipped-after-durable-retries';
    const history = withStep(readHistory(name), 'capturePayment', 'releaseStock');
    const [result] = await replay(current, new Map([[name, history]]));
    expect(result?.error).toMatch(NOT_DETERMINISTIC);
  });
});

/** The history with one activity's name put for another's. */
function withStep(history: RecordedHistory, taken: string, instead: string): RecordedHistory {
  const text = JSON.stringify(history);
  expect(text).toContain(`"name":"${taken}"`);
  const changed: unknown = JSON.parse(text.replaceAll(`"name":"${taken}"`, `"name":"${instead}"`));
  return { ...history, ...Object(changed) };
}
