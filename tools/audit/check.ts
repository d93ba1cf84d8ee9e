/** A check that no query of the database can make. One that fails or hangs is `unchecked`. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InvariantResult, Violation } from '../../prisma/operations/invariants.ts';

export interface Check {
  readonly name: string;
  readonly title: string;
  /** Every violation. Throws when the check cannot be made. */
  run(): Promise<readonly Violation[]>;
}

/** Violations that a result lists; all are counted. */
const MAX_EXAMPLES = 20;
const TIMEOUT_MS = 30_000;

/** Makes the checks one after the other, each with the time limit. Never throws. */
export async function runChecks(
  checks: readonly Check[],
  { timeoutMs = TIMEOUT_MS } = {},
): Promise<readonly InvariantResult[]> {
  const results: InvariantResult[] = [];
  for (const { name, title, run } of checks) {
    const startedMs = performance.now();
    let found: readonly Violation[] = [];
    let unchecked: string | null = null;
    try {
      found = await Promise.race([run(), rejectAfter(timeoutMs)]);
    } catch (error) {
      unchecked = error instanceof Error ? error.message : String(error);
    }
    const tookMs = Math.round(performance.now() - startedMs);
    const examples = found.slice(0, MAX_EXAMPLES);
    const violations = found.length;
    results.push({ name, title, holds: 'settled', violations, examples, unchecked, tookMs });
  }
  return results;
}

/** Does not keep the process alive. */
export async function rejectAfter(timeoutMs: number): Promise<never> {
  await delay(timeoutMs, undefined, { ref: false });
  throw new Error(`no result within ${timeoutMs} ms`);
}
