/** The results of an audit, for a person and for a program. */
import type { InvariantResult } from '../../prisma/operations/invariants.ts';

/** 1: an invariant is violated. 2: none is violated, but one could not be checked. */
export function exitCodeOf(results: readonly InvariantResult[]): 0 | 1 | 2 {
  if (results.some(({ violations }) => violations > 0)) return 1;
  return results.length === 0 || results.some(({ unchecked }) => unchecked !== null) ? 2 : 0;
}

/** One JSON object per run, its members in snake_case. */
export function jsonReport(results: readonly InvariantResult[]): string {
  const invariants = results.map(({ tookMs, ...result }) => ({ ...result, took_ms: tookMs }));
  return JSON.stringify({ object: 'audit', invariants, exit_code: exitCodeOf(results) }, null, 2);
}

/** A line per invariant with its count, and the first violations below it. */
export function textReport(results: readonly InvariantResult[]): string {
  const width = Math.max(...results.map(({ name }) => name.length), 0);
  const lines = results.flatMap((result) => [lineOf(result, width), ...detailsOf(result)]);
  return [...lines, '', summaryOf(results)].join('\n');
}

function lineOf({ name, title, violations, unchecked }: InvariantResult, width: number): string {
  const verdict = unchecked === null ? (violations === 0 ? 'holds' : 'VIOLATED') : 'unchecked';
  return `${verdict.padEnd(9)}  ${name.padEnd(width)}  ${String(violations).padStart(5)}  ${title}`;
}

function detailsOf(result: InvariantResult): readonly string[] {
  const { unchecked } = result;
  const details = unchecked === null ? violationLines(result) : [unchecked.trim()];
  return details.map((line) => `             ${line.replaceAll(/\s+/g, ' ')}`);
}

/** The violations that a result lists, and how many more there are. */
export function violationLines({ violations, examples }: InvariantResult): readonly string[] {
  const listed = examples.map(({ subject, detail }) => `${subject}: ${detail}`);
  const more = violations - examples.length;
  return more > 0 ? [...listed, `and ${more} more`] : listed;
}

function summaryOf(results: readonly InvariantResult[]): string {
  const unchecked = results.filter((each) => each.unchecked !== null).length;
  const violated = results.filter((each) => each.violations > 0).length;
  const tookMs = results.reduce((sum, each) => sum + each.tookMs, 0);
  const held = results.length - unchecked - violated;
  const seconds = (tookMs / 1_000).toFixed(1);
  return `${held} of ${results.length} hold, ${violated} violated, ${unchecked} unchecked, ${seconds} s`;
}
