/**
 * One check that no query of the database can make. It has a deadline, and one that fails says so
 * instead of passing: an audit that was not made is no good news.
 */
import type { InvariantResult, Violation } from '../../prisma/operations/invariants.ts';

export interface Check {
  readonly name: string;
  readonly title: string;
  /** Every violation; throws when it cannot find out. */
  run(): Promise<readonly Violation[]>;
}

export interface CheckLimits {
  /** Examples per check. Default 20. */
  readonly limit?: number | undefined;
  /** For one check. Default 30 s. */
  readonly timeoutMs?: number | undefined;
}

const LIMIT = 20;
const TIMEOUT_MS = 30_000;

/** Makes the checks one after the other. Never throws: what fails or takes too long is `unchecked`. */
export async function runChecks(
  checks: readonly Check[],
  { limit = LIMIT, timeoutMs = TIMEOUT_MS }: CheckLimits = {},
): Promise<readonly InvariantResult[]> {
  const results: InvariantResult[] = [];
  for (const { name, title, run } of checks) {
    const startedMs = performance.now();
    const answer = await within(run, timeoutMs).catch((error: unknown) => reasonOf(error));
    const tookMs = Math.round(performance.now() - startedMs);
    const found = typeof answer === 'string' ? [] : answer;
    const unchecked = typeof answer === 'string' ? answer : null;
    const examples = found.slice(0, limit);
    const counted = { violations: found.length, examples, unchecked, tookMs };
    results.push({ name, title, holds: 'settled', ...counted });
  }
  return results;
}

async function within<T>(work: () => Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
