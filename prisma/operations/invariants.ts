/**
 * Checks the invariants of the database: the queries of invariants.sql, in one snapshot. It only reads,
 * and each query has a timeout: safe beside a running shop.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { STAGE_BUDGETS_MS } from '../../domain/checkout-steps.ts';
import { TRANSITIONS } from '../../domain/order.ts';
import { inSnapshot, type Database, type Transaction } from '../client/client.ts';

/** `always`: in every snapshot. `settled`: once the system has been healthy for the grace period. */
export type Holds = 'always' | 'settled';

export interface Violation {
  /** What it is about: an order, a SKU, a dead letter ... */
  readonly subject: string;
  readonly detail: string;
}

export interface InvariantResult {
  readonly name: string;
  /** What is true when no violation is reported, in one line. */
  readonly title: string;
  readonly holds: Holds;
  readonly violations: number;
  /** The first of them. */
  readonly examples: readonly Violation[];
  /** Why it could not be checked; then `violations` is meaningless. */
  readonly unchecked: string | null;
  readonly tookMs: number;
}

export interface InvariantOptions {
  /** `always` leaves out the settled ones: for checks while faults are injected. Default `all`. */
  readonly scope?: 'always' | 'all' | undefined;
  /** How long eventual effects may take. Default 60 s. */
  readonly graceMs?: number | undefined;
  /** How long a transaction may be open; waiting for a lock, half of it. Default 10 s. */
  readonly maxTransactionMs?: number | undefined;
  /** Examples per invariant. Default 20. */
  readonly limit?: number | undefined;
  /** For all queries together; an invariant not reached by then is `unchecked`. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** For one query; below the statement timeout of the pool. Default 4.5 s. */
  readonly queryTimeoutMs?: number | undefined;
}

export interface Invariant {
  readonly name: string;
  readonly title: string;
  readonly holds: Holds;
  readonly query: string;
}

const GRACE_MS = 60_000;
const MAX_TRANSACTION_MS = 10_000;
const LIMIT = 20;
const TIMEOUT_MS = 30_000;
const QUERY_TIMEOUT_MS = 4_500;
/** In the sources, and beside the compiled program. */
const FILES = [
  new URL('../invariants.sql', import.meta.url),
  new URL('invariants.sql', import.meta.url),
] as const;
const HEADER =
  /^-- invariant: (?<name>[a-z_]+)\n-- title: (?<title>.+)\n-- holds: (?<holds>always|settled)\n/;

/**
 * Checks every invariant in one snapshot of the database, in the order of the file. A query that fails
 * or times out is `unchecked`, and the others still run. Throws when the database is unavailable.
 */
export async function checkInvariants(
  db: Database,
  options: InvariantOptions = {},
): Promise<readonly InvariantResult[]> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  return inSnapshot(db, (tx) => checkWithin(tx, { ...options, timeoutMs }), {
    timeoutMs: timeoutMs + (options.queryTimeoutMs ?? QUERY_TIMEOUT_MS),
  });
}

/** The same within a transaction, which also sees its own writes. */
export async function checkWithin(
  tx: Transaction,
  options: InvariantOptions = {},
): Promise<readonly InvariantResult[]> {
  const { scope = 'all', timeoutMs = TIMEOUT_MS, limit = LIMIT } = options;
  const selected = (await readInvariants()).filter(
    ({ holds }) => scope === 'all' || holds === scope,
  );
  const parameters = JSON.stringify({
    transitions: TRANSITIONS,
    stageBudgetsMs: STAGE_BUDGETS_MS,
    graceMs: options.graceMs ?? GRACE_MS,
    maxTransactionMs: options.maxTransactionMs ?? MAX_TRANSACTION_MS,
  });
  const { queryTimeoutMs = QUERY_TIMEOUT_MS } = options;
  const context = { parameters, limit, queryTimeoutMs, endsAtMs: Date.now() + timeoutMs };
  const results: InvariantResult[] = [];
  for (const invariant of selected) results.push(await check(tx, invariant, context));
  return results;
}

/** The invariants of the file. Throws when one has no name or title. */
export async function readInvariants(): Promise<readonly Invariant[]> {
  const text = await readFile(FILES.find((file) => existsSync(file)) ?? FILES[0], 'utf8');
  const [, ...parts] = text.split(/^(?=-- invariant:)/m);
  return parts.map((part) => {
    const { name, title, holds } = HEADER.exec(part)?.groups ?? {};
    if (name === undefined || title === undefined) {
      throw new Error(`invariants.sql: bad header: ${part.slice(0, 80)}`);
    }
    const query = part.replace(HEADER, '').trim().replace(/;$/, '');
    return { name, title, holds: holds === 'always' ? 'always' : 'settled', query };
  });
}

interface CheckContext {
  readonly parameters: string;
  readonly limit: number;
  readonly queryTimeoutMs: number;
  readonly endsAtMs: number;
}

type Row = Violation & { readonly total: number };

async function check(
  tx: Transaction,
  { query, ...invariant }: Invariant,
  { parameters, limit, queryTimeoutMs, endsAtMs }: CheckContext,
): Promise<InvariantResult> {
  const startedMs = performance.now();
  const resultOf = (
    violations: number,
    examples: readonly Violation[],
    unchecked: string | null,
  ) => {
    const tookMs = Math.round(performance.now() - startedMs);
    return { ...invariant, violations, examples, unchecked, tookMs };
  };
  const leftMs = Math.min(queryTimeoutMs, endsAtMs - Date.now());
  if (leftMs < 1) return resultOf(0, [], 'no time left');
  await tx.$executeRaw`SELECT set_config('statement_timeout', ${String(leftMs)}, true)`;
  await tx.$executeRaw`SAVEPOINT one_check`;
  try {
    const rows = await tx.$queryRawUnsafe<Row[]>(wrapped(query), parameters, limit);
    const examples = rows.map(({ subject, detail }) => ({ subject, detail }));
    return resultOf(rows[0]?.total ?? 0, examples, null);
  } catch (error) {
    // Fails too when the connection is lost: then the whole check fails.
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT one_check`;
    return resultOf(0, [], error instanceof Error ? error.message : String(error));
  }
}

/** Wraps a query with what each may read, and counts the rows beyond those returned. */
function wrapped(query: string): string {
  return `
    WITH given AS (
      SELECT j -> 'transitions' AS transitions, j -> 'stageBudgetsMs' AS stage_budgets_ms,
        (j ->> 'graceMs')::float8 * interval '1 ms' AS grace,
        (j ->> 'maxTransactionMs')::float8 * interval '1 ms' AS max_transaction
      FROM (SELECT $1::text::jsonb AS j) AS parameter),
    manual AS (
      SELECT order_id, data ->> 'step' AS step FROM events
      WHERE type = 'order.attention_resolved' AND data ->> 'decision' = 'skip'
      UNION
      SELECT subject, data ->> 'step' FROM audit_log
      WHERE action = 'order.attention_resolved' AND data ->> 'decision' = 'skip'),
    violations AS (${query})
    SELECT subject, detail, count(*) OVER ()::int AS total FROM violations LIMIT $2::int`;
}
