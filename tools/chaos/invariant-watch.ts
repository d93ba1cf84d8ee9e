/** Asks the database about its invariants again and again while everything is being broken. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../../prisma/client/client.ts';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';

export interface InvariantWatch {
  /** Snapshots in which everything that was asked could be answered. */
  readonly rounds: number;
  /** Each violation that was ever seen, one line. */
  readonly violations: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Rejects while the database is away: that is what a run does to it. */
export type InvariantCheck = () => Promise<readonly InvariantResult[]>;

const EVERY_MS = 1_000;
const CHECK_TIMEOUT_MS = 5_000;
const MAX_LINES = 1_000;

/** Loaded late: it imports the generated client, which a first start makes. */
export async function openInvariants(
  databaseUrl: string,
): Promise<{ readonly check: InvariantCheck; close(): Promise<void> }> {
  const [{ createDatabase }, { checkInvariants }] = await Promise.all([
    import('../../prisma/client/client.ts'),
    import('../../prisma/operations/invariants.ts'),
  ]);
  const db: Database = createDatabase({ url: databaseUrl, poolSize: 2 });
  return {
    check: () => checkInvariants(db, { scope: 'always', timeoutMs: CHECK_TIMEOUT_MS }),
    close: () => db.$disconnect(),
  };
}

/** Starts at once. */
export function watchInvariants(check: InvariantCheck): InvariantWatch {
  const violations = new Set<string>();
  const stopping = new AbortController();
  let rounds = 0;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      // A database that is just down is no violation.
      const results = await check().catch(() => null);
      if (results?.every(({ unchecked }) => unchecked === null) === true) rounds += 1;
      for (const line of linesOf(results ?? [])) {
        if (violations.size < MAX_LINES) violations.add(line);
      }
      await delay(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
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

/** The violations, one line each; further ones of an invariant as a number. */
export function linesOf(results: readonly InvariantResult[]): readonly string[] {
  return results.flatMap(({ name, violations, examples }) => {
    const shown = examples.map(({ subject, detail }) => `${name}: ${subject}: ${detail}`);
    const more = violations - shown.length;
    return more > 0 ? [...shown, `${name}: and ${more} more`] : shown;
  });
}
