/** Opens the database. The handle is opaque outside this folder: everything else calls functions. */
import { PrismaPg } from '@prisma/adapter-pg';
import { watchCommits, type CommitWatcher } from './commit-hook.ts';
import { PrismaClient, type Prisma } from '../generated/client.ts';
import { BoundedPool, type PoolLimits, type PoolView } from './pool.ts';

export type Database = PrismaClient;
export type Transaction = Prisma.TransactionClient;

export interface DatabaseOptions {
  readonly url: string;
  /** Connections at the most; further work stands in line for them (`LINE`). */
  readonly poolSize: number;
  /** Multiplies every limit of time. For tests, which a busy machine must not break. */
  readonly timeoutFactor?: number;
  /** Told of every commit; for tests of crashes. */
  readonly onCommit?: CommitWatcher | undefined;
}

const LINE: Omit<PoolLimits, 'maxConnections'> = {
  /** No part of a request waits twice: several times what the API admits at once. */
  maxWaiting: 1_000,
  /** A transaction takes tens of milliseconds. Nothing moving for this long is a database in trouble. */
  stalledAfterMs: 400,
  /** A database that is down says so at once; this is for a machine too busy to say hello. */
  connectTimeoutMs: 2_000,
  /** A shopper is better told to come back. */
  maxWaitMs: 5_000,
};
/** A burst after a quiet minute should not have to connect first. */
const IDLE_TIMEOUT_MS = 300_000;
/** No statement here is slow; one that is holds a lock others wait for. */
const STATEMENT_TIMEOUT_MS = 5_000;
/** Per connection; the code has some 150 texts. */
export const MAX_PREPARED = 400;
/** PostgreSQL keeps no more of a name. */
const MAX_NAME_LENGTH = 63;
/** A server that hangs does not watch its own timeouts. */
const ANSWER_TIMEOUT_MS = 6_000;

/** Creates the pool. Connects on first use; close with `db.$disconnect()`. */
export function createDatabase(options: DatabaseOptions): Database {
  const { url, poolSize, timeoutFactor = 1, onCommit } = options;
  const statementTimeoutMs = STATEMENT_TIMEOUT_MS * timeoutFactor;
  const config = {
    connectionString: url,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    query_timeout: ANSWER_TIMEOUT_MS * timeoutFactor,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    application_name: 'holdfast',
  };
  const maxWaitMs = LINE.maxWaitMs * timeoutFactor;
  const pool = new BoundedPool(config, {
    maxConnections: poolSize,
    maxWaiting: LINE.maxWaiting,
    stalledAfterMs: LINE.stalledAfterMs * timeoutFactor,
    connectTimeoutMs: LINE.connectTimeoutMs * timeoutFactor,
    maxWaitMs,
  });
  const adapter = new PrismaPg(pool, {
    disposeExternalPool: true,
    // A dropped idle connection is replaced at the next query; the next query tells if it cannot be.
    onPoolError: () => undefined,
    onConnectionError: () => undefined,
    statementNameGenerator: createStatementNames(),
  });
  const db = new PrismaClient({
    adapter: onCommit ? watchCommits(adapter, onCommit) : adapter,
    transactionOptions: { maxWait: maxWaitMs + 1_000, timeout: statementTimeoutMs },
  });
  pools.set(db, pool);
  return db;
}

/** The client does not tell how its connections fare. */
const pools = new WeakMap<Database, BoundedPool>();

/** How many of its connections are in use, and how much work waits for one. */
export function connectionsOf(db: Database): PoolView {
  return pools.get(db)?.view ?? { inUse: 0, queued: 0 };
}

/**
 * One name per SQL text, so that each connection parses and plans it once and not at every call: a
 * third of PostgreSQL's work for an order. Texts come from the code, and only lists of varying length
 * make new ones; beyond the limit a text stays unnamed, as all would be without this. So does one
 * without parameters, such as COMMIT: it travels in one message, and has nothing to plan. A name says how
 * its text begins, so that whoever watches the line or `pg_prepared_statements` sees what is asked.
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

/** Answers whether the database takes orders. Throws when it cannot be asked, or takes no writes. */
export async function pingDatabase(db: Database): Promise<void> {
  const rows = await db.$queryRaw<{ readOnly: string }[]>`
    SELECT current_setting('transaction_read_only') AS "readOnly"`;
  // A standby, on the wrong side of a failover or not promoted yet.
  if (rows[0]?.readOnly !== 'off') throw new Error('the database takes no writes');
}
