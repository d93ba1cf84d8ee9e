/** Opens the database. The handle is opaque outside this folder: everything else calls functions. */
import { PrismaPg } from '@prisma/adapter-pg';
import { watchCommits, type CommitWatcher } from './commits.ts';
import { PrismaClient, type Prisma } from './generated/client.ts';

export type Database = PrismaClient;
export type Transaction = Prisma.TransactionClient;

export interface DatabaseOptions {
  readonly url: string;
  /** Connections at the most; further work queues for `ACQUIRE_TIMEOUT_MS`. */
  readonly poolSize: number;
  /** Told of every commit; for tests of crashes. */
  readonly onCommit?: CommitWatcher | undefined;
}

/** A request that waits longer than this for a connection is better told to come back. */
const ACQUIRE_TIMEOUT_MS = 2_000;
/** No statement here is slow; one that is holds a lock others wait for. */
const STATEMENT_TIMEOUT_MS = 5_000;
/** A server that hangs does not watch its own timeouts. */
const ANSWER_TIMEOUT_MS = 6_000;

/** Creates the pool. Connects on first use; close with `db.$disconnect()`. */
export function createDatabase({ url, poolSize, onCommit }: DatabaseOptions): Database {
  const adapter = new PrismaPg(
    {
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      application_name: 'holdfast',
    },
    // A dropped idle connection is replaced at the next query; the next query tells if it cannot be.
    { onPoolError: () => undefined, onConnectionError: () => undefined },
  );
  return new PrismaClient({
    adapter: onCommit ? watchCommits(adapter, onCommit) : adapter,
    transactionOptions: { maxWait: ACQUIRE_TIMEOUT_MS, timeout: STATEMENT_TIMEOUT_MS },
  });
}

/** Answers whether the database can be asked at all. Throws when it cannot. */
export async function pingDatabase(db: Database): Promise<void> {
  await db.$queryRaw`SELECT 1`;
}
