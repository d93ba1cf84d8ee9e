/** Checks the invariants that hold in every snapshot, about once a second, during the faults. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { violationLines } from '../audit/report.ts';

export interface InvariantWatch {
  /** Snapshots in which every invariant could be checked. */
  readonly rounds: number;
  /** Each violation that was seen, one line. */
  readonly violations: ReadonlySet<string>;
  stop(): Promise<void>;
}

const INTERVAL_MS = 1_000;
const MAX_LINES = 1_000;

/** Starts at once. A check that rejects is skipped: the run itself takes the database down. */
export function watchInvariants(check: () => Promise<readonly InvariantResult[]>): InvariantWatch {
  const violations = new Set<string>();
  const stopping = new AbortController();
  let rounds = 0;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const results = await check().catch(() => null);
      if (results?.every(({ unchecked }) => unchecked === null) === true) rounds += 1;
      for (const line of linesOf(results ?? [])) {
        if (violations.size < MAX_LINES) violations.add(line);
      }
      await delay(INTERVAL_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    get rounds() {
      return rounds;
    },
    violations,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** The violations, one line each. */
export function linesOf(results: readonly InvariantResult[]): readonly string[] {
  return results.flatMap((result) =>
    violationLines(result).map((line) => `${result.name}: ${line}`),
  );
}
