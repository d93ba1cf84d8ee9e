/** Opens the database. Outside this folder the handle is opaque: other code calls functions. */
import { PrismaPg } from '@prisma/adapter-pg';
import { watchCommits, type CommitWatcher } from './commit-hook.ts';
import { PrismaClient, type Prisma } from '../generated/client.ts';
import { BoundedPool, type PoolView } from './pool.ts';

export type Database = PrismaClient;
export type Transaction = Prisma.TransactionClient;

export interface DatabaseOptions {
  readonly url: string;
  /** Maximum number of connections; further work waits in a queue. */
  readonly poolSize: number;
  /** Default 5 s. More only for reads of whole tables, which nothing waits for. */
  readonly statementTimeoutMs?: number | undefined;
  /** Multiplies every timeout. For tests, which must pass on a busy machine. */
  readonly timeoutFactor?: number;
  /** Called at every commit; for tests of crashes. */
  readonly onCommit?: CommitWatcher | undefined;
}

/**
 * Runs reads in one snapshot of the database, so that what they find belongs together. Writes fail.
 * `timeoutMs` is for all of them; by default that of every transaction.
 */
export function inSnapshot<T>(
  db: Database,
  work: (tx: Transaction) => Promise<T>,
  { timeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<T> {
  return db.$transaction(
    async (tx) => {
      await tx.$executeRaw`SET TRANSACTION READ ONLY`;
      return work(tx);
    },
    {
      isolationLevel: 'RepeatableRead',
      ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    },
  );
}

/** Several times the number of requests that the API runs at once. */
const MAX_QUEUED = 1_000;
/**
 * For a free connection as for a new one. A transaction takes tens of milliseconds, and a database that
 * is down refuses at once: this is for a busy machine, and for a database that hangs.
 */
const CONNECTION_TIMEOUT_MS = 3_000;
/** A burst after an idle minute finds open connections. */
const IDLE_TIMEOUT_MS = 300_000;
/** No statement here is slow; one that is holds a lock that others wait for. */
const STATEMENT_TIMEOUT_MS = 5_000;
/** Per connection; the code has some 150 SQL texts. */
export const MAX_PREPARED = 400;
/** PostgreSQL truncates longer names. */
const MAX_NAME_LENGTH = 63;
/** After the statement's own timeout: a server that hangs does not enforce it. */
const RESPONSE_GRACE_MS = 1_000;

/** Creates the pool. Connects on first use; close with `closeDatabase`. */
export function createDatabase(options: DatabaseOptions): Database {
  const { url, poolSize, timeoutFactor = 1, onCommit } = options;
  const statementTimeoutMs = (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) * timeoutFactor;
  const connectionTimeoutMs = CONNECTION_TIMEOUT_MS * timeoutFactor;
  const config = {
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: connectionTimeoutMs,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + RESPONSE_GRACE_MS * timeoutFactor,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    application_name: 'holdfast',
  };
  const pool = new BoundedPool(config, MAX_QUEUED);
  const adapter = new PrismaPg(pool, {
    // `closeDatabase` ends the pool. After its own end of a pool the adapter would open another one.
    disposeExternalPool: false,
    statementNameGenerator: createStatementNames(),
  });
  const db = new PrismaClient({
    adapter: onCommit ? watchCommits(adapter, onCommit) : adapter,
    transactionOptions: { maxWait: connectionTimeoutMs + 1_000, timeout: statementTimeoutMs },
  });
  pools.set(db, pool);
  return db;
}

/**
 * Waits for the queries under way and closes every connection. A query that comes later fails: after a
 * mere `$disconnect` Prisma would connect again for it, and the process would not end.
 */
export async function closeDatabase(db: Database): Promise<void> {
  await pools.get(db)?.end();
  // oxlint-disable-next-line no-restricted-properties -- the one place
  await db.$disconnect();
}

/** The Prisma client does not expose its pool. */
const pools = new WeakMap<Database, BoundedPool>();

/** How many connections are in use, and how many requests wait for one. */
export function connectionsOf(db: Database): PoolView {
  return pools.get(db)?.view ?? { inUse: 0, queued: 0 };
}

/**
 * One name per SQL text, so that each connection parses and plans it once and not at every call: a
 * third of PostgreSQL's work for an order. Texts come from the code, and only lists of varying length
 * make new ones; beyond the limit a text stays unnamed, as all would be without this. So does one
 * without parameters, such as COMMIT: it is sent in one message and has nothing to plan. A name holds
 * the beginning of its text, so that `pg_prepared_statements` is readable.
 */
function createStatementNames(): (query: SqlQuery) => string {
  const names = new Map<string, string>();
  return ({ sql, args }) => {
    if (args.length === 0) return '';
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= MAX_PREPARED) return '';
    const name = `${names.size} ${sql.trim().replaceAll(/\s+/g, ' ')}`.slice(0, MAX_NAME_LENGTH);
    names.set(sql, name);
    return name;
  };
}

type SqlQuery = Parameters<NonNullable<PrismaPgOptions['statementNameGenerator']>>[0];
type PrismaPgOptions = NonNullable<ConstructorParameters<typeof PrismaPg>[1]>;

/** Throws when the database cannot be reached or accepts no writes. */
export async function pingDatabase(db: Database): Promise<void> {
  const rows = await db.$queryRaw<{ readOnly: string }[]>`
    SELECT current_setting('transaction_read_only') AS "readOnly"`;
  // A standby after a failover, or one that is not promoted yet.
  if (rows[0]?.readOnly !== 'off') throw new Error('the database accepts no writes');
}
