/** The results of an audit, for a person and for a program. */
import type { InvariantResult } from '../../prisma/operations/invariants.ts';

/** 1: something is violated. 2: nothing is as far as could be checked, and something could not be. */
export function exitCodeOf(results: readonly InvariantResult[]): 0 | 1 | 2 {
  if (results.some(({ violations }) => violations > 0)) return 1;
  return results.length === 0 || results.some(({ unchecked }) => unchecked !== null) ? 2 : 0;
}

/** One object per run, members in snake_case as everywhere outside. */
export function jsonReport(results: readonly InvariantResult[]): string {
  const invariants = results.map(({ tookMs, ...result }) => ({ ...result, took_ms: tookMs }));
  return JSON.stringify({ object: 'audit', invariants, exit_code: exitCodeOf(results) }, null, 2);
}

/** A line per invariant with its count; what is violated with the first of its subjects. */
export function textReport(results: readonly InvariantResult[]): string {
  const width = Math.max(...results.map(({ name }) => name.length), 0);
  const lines = results.flatMap((result) => [lineOf(result, width), ...detailsOf(result)]);
  return [...lines, '', summaryOf(results)].join('\n');
}

function lineOf({ name, title, violations, unchecked }: InvariantResult, width: number): string {
  const verdict = unchecked === null ? (violations === 0 ? 'holds' : 'VIOLATED') : 'unchecked';
  return `${verdict.padEnd(9)}  ${name.padEnd(width)}  ${String(violations).padStart(5)}  ${title}`;
}

function detailsOf({ violations, examples, unchecked }: InvariantResult): readonly string[] {
  if (unchecked !== null) return [`             ${unchecked.trim().replaceAll(/\s+/g, ' ')}`];
  const more = violations - examples.length;
  return [
    ...examples.map(({ subject, detail }) => `             ${subject}: ${detail}`),
    ...(more > 0 ? [`             and ${more} more`] : []),
  ];
}

function summaryOf(results: readonly InvariantResult[]): string {
  const unchecked = results.filter((each) => each.unchecked !== null).length;
  const violated = results.filter((each) => each.violations > 0).length;
  const tookMs = results.reduce((sum, each) => sum + each.tookMs, 0);
  const held = results.length - unchecked - violated;
  const seconds = (tookMs / 1_000).toFixed(1);
  return `${held} of ${results.length} hold, ${violated} violated, ${unchecked} unchecked, ${seconds} s`;
}
