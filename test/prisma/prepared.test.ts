/** Statements are parsed and planned once per connection, and no connection gathers them for ever. */
import { expect, test } from 'vitest';
import { MAX_PREPARED } from '../../prisma/client/client.ts';
import { LOG_START, readLog } from '../../prisma/events/event-log.ts';
import { newId } from '../../prisma/client/ids.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase(1);

test('a repeated statement is prepared once and reused', async () => {
  for (let n = 0; n < 5; n += 1) await shop.db.$queryRaw`SELECT ${n}::int AS asked_again`;
  const seen = await shop.db.$queryRaw<{ uses: number }[]>`
    SELECT (generic_plans + custom_plans)::int AS uses FROM pg_prepared_statements
    WHERE statement LIKE '%asked_again%' AND statement NOT LIKE '%pg_prepared_statements%'`;
  expect(seen).toEqual([{ uses: 5 }]);
});

test('reading the log with and without an order id uses two separate prepared statements', async () => {
  await readLog(shop.db, { after: LOG_START, limit: 1 });
  await readLog(shop.db, { after: LOG_START, limit: 1, orderId: newId('order') });
  const kept = await shop.db.$queryRaw<{ statement: string }[]>`
    SELECT statement FROM pg_prepared_statements
    WHERE statement ~ ${'FROM events\\s+WHERE xid'} ORDER BY prepare_time`;
  expect(kept.map(({ statement }) => statement.includes('order_id = $'))).toEqual([false, true]);
});

test('distinct statements beyond the limit are answered, and a connection keeps MAX_PREPARED of them', async () => {
  for (let n = 0; n < MAX_PREPARED + 50; n += 1) {
    expect(await shop.db.$queryRawUnsafe(`SELECT $1::int + ${n} AS n`, 1)).toEqual([{ n: n + 1 }]);
  }
  const [kept] = await shop.db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pg_prepared_statements`;
  expect(kept?.count).toBe(MAX_PREPARED);
});
