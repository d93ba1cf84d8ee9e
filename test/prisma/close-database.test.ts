import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { closeDatabase, connectionsOf, createDatabase } from '../../prisma/client/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

test('a database that is being closed answers the query under way, refuses a later one and keeps no connection', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.close());
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  onTestFinished(() => other.end());
  await other.query('SELECT pg_advisory_lock(1)');

  const db = createDatabase({ url: database.url, poolSize: 2 });
  // A query of Prisma begins when it is awaited.
  const query = async (text: string): Promise<unknown> => await db.$queryRawUnsafe(text);
  const underWay = query("SELECT 'answered' AS it FROM pg_advisory_lock(1)");
  await eventually(() => expect(connectionsOf(db).inUse).toBe(1));
  const closing = closeDatabase(db);
  await expect(query('SELECT 1')).rejects.toThrow(/after calling end/);

  await other.query('SELECT pg_advisory_unlock(1)');
  await expect(underWay).resolves.toEqual([{ it: 'answered' }]);
  await closing;
  await expect(query('SELECT 1')).rejects.toThrow(/after calling end/);
  await eventually(async () => {
    const { rows } = await other.query(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    expect(rows).toEqual([]);
  });
});
