/** What PostgreSQL cannot hold is distinguished from what it cannot do now, and from our own bugs. */
import { expect, test } from 'vitest';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import {
  isDatabaseUnavailable,
  isDatabaseUnreachable,
  isValueRefused,
} from '../../prisma/client/errors.ts';
import { createTestDatabase } from '../support/database.ts';
import { useOpened } from '../support/use-opened.ts';

const shop = useOpened(async () => {
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url, poolSize: 1 });
  const close = async (): Promise<void> => {
    await closeDatabase(db);
    await database.close();
  };
  return { db, close };
});

const refusalOf = (work: (db: Database) => Promise<unknown>): Promise<unknown> =>
  work(shop.db).then(
    () => null,
    (error: unknown) => error,
  );

test.each<[string, (db: Database) => Promise<unknown>]>([
  ['22021: NUL in a text', (db) => db.$queryRaw`SELECT ${'a\0'}::text`],
  ['22021 by a query of Prisma', (db) => db.product.findUnique({ where: { sku: 'a\0' } })],
  ['22P05: NUL in JSON', (db) => db.$queryRaw`SELECT ${JSON.stringify({ a: '\0' })}::jsonb`],
  ['22P02: no UUID', (db) => db.$queryRaw`SELECT ${'x'}::uuid`],
  ['22P02: half a surrogate pair in JSON', (db) => db.$queryRaw`SELECT ${'"\\ud800"'}::jsonb`],
  ['22P02: no UUID by a query of Prisma', (db) => db.event.findFirst({ where: { id: 'x' } })],
  ['22003: beyond an integer', (db) => db.$queryRaw`SELECT ${'2147483648'}::int`],
  ['22003 by a sum', (db) => db.$queryRaw`SELECT 2147483647 + ${1}::int`],
  ['22007: no time', (db) => db.$queryRaw`SELECT ${'yesterdayish'}::timestamptz`],
  ['22008: no such year', (db) => db.$queryRaw`SELECT ${'0000-01-01T00:00:00Z'}::timestamptz`],
  [
    '22009: no such offset',
    (db) => db.$queryRaw`SELECT ${'2000-01-01T00:00:00+20:02'}::timestamptz`,
  ],
  ['54001: JSON too deep', (db) => db.$queryRaw`SELECT ${'['.repeat(30_000)}::jsonb`],
])('%s is a refused value, not an unavailable database', async (_, work) => {
  const error = await refusalOf(work);
  expect(error).toBeInstanceOf(Error);
  expect(isValueRefused(error)).toBe(true);
  expect(isDatabaseUnavailable(error)).toBe(false);
});

test.each<[string, (db: Database) => Promise<unknown>]>([
  ['a division by zero', (db) => db.$queryRaw`SELECT 1 / ${0}::int`],
  ['an unknown table', (db) => db.$queryRaw`SELECT ${1}::int FROM nothing`],
  ['a duplicate', (db) => db.$executeRaw`INSERT INTO products SELECT * FROM products`],
  ['a violated check', (db) => db.$executeRaw`UPDATE stock SET held = ${-1}::int`],
])('%s is no refused value', async (_, work) => {
  expect(isValueRefused(await refusalOf(work))).toBe(false);
});

test.each<[string, (db: Database) => Promise<unknown>]>([
  [
    'a statement that ran out of its time',
    (db) =>
      db.$transaction(async (tx) => {
        await tx.$executeRaw`SET LOCAL statement_timeout = 1`;
        await tx.$queryRaw`SELECT pg_sleep(10)::text`;
      }),
  ],
  ['the loser of a conflict', raise('40001')],
  ['the loser of a deadlock', raise('40P01')],
  ['a lock that was not free in time', raise('55P03')],
])('%s may be retried, and does not say that the database is out of reach', async (_, work) => {
  const error = await refusalOf(work);
  expect(isDatabaseUnavailable(error)).toBe(true);
  expect(isDatabaseUnreachable(error)).toBe(false);
});

test.each<[string, (db: Database) => Promise<unknown>]>([
  ['a shutdown', raise('57P01')],
  ['a lost connection', raise('08006')],
  [
    'a refused socket',
    () => Promise.reject(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })),
  ],
])('%s says that the database is out of reach', async (_, work) => {
  expect(isDatabaseUnreachable(await refusalOf(work))).toBe(true);
});

/** What PostgreSQL raises with this SQLSTATE. */
function raise(code: string) {
  return (db: Database): Promise<unknown> =>
    db.$executeRawUnsafe(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${code}'; END $$`);
}
