/** Statements are parsed and planned once per connection, and no connection gathers them for ever. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, MAX_PREPARED, type Database } from '../../prisma/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase({ url: database.url, poolSize: 1 });
});
afterAll(async () => {
  await db.$disconnect();
  await database.drop();
});

test('a statement that is asked again is not parsed again', async () => {
  for (let n = 0; n < 5; n += 1) await db.$queryRaw`SELECT ${n}::int AS asked_again`;
  const seen = await db.$queryRaw<{ uses: number }[]>`
    SELECT (generic_plans + custom_plans)::int AS uses FROM pg_prepared_statements
    WHERE statement LIKE '%asked_again%' AND statement NOT LIKE '%pg_prepared_statements%'`;
  expect(seen).toEqual([{ uses: 5 }]);
});

test('texts without end are answered, and only so many are kept', async () => {
  for (let n = 0; n < MAX_PREPARED + 50; n += 1) {
    expect(await db.$queryRawUnsafe(`SELECT $1::int + ${n} AS n`, 1)).toEqual([{ n: n + 1 }]);
  }
  const [kept] = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pg_prepared_statements`;
  expect(kept?.count).toBe(MAX_PREPARED);
}, 60_000);
