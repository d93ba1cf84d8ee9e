/** A migrated database for one benchmark, on the stack's server, so that its rows do not disturb the stack. */
import { randomUUID } from 'node:crypto';
import { migrate } from '../../local/stack/migrations.ts';
import { dropDatabase } from '../../local/stack/postgres.ts';

/** Runs `work` with the new database's URL, and drops the database at the end. */
export async function withOwnDatabase<T>(
  stackDatabaseUrl: string,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const url = new URL(stackDatabaseUrl);
  url.pathname = `/bench_${randomUUID().replaceAll('-', '')}`;
  await migrate({ databaseUrl: url.href });
  try {
    return await work(url.href);
  } finally {
    await dropDatabase(url.href);
  }
}
