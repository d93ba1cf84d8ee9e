import { expect, test } from 'vitest';
import { deadLetterMessages } from '../../prisma/events/inbox.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();

test('old messages become dead letters a page at a time, the oldest first, and none is lost', async () => {
  await shop.db.$executeRaw`
    INSERT INTO inbox (source, id, type, payload, received_at)
    SELECT 'payments', 'late_' || n, 't', '{}', now() - n * interval '1 hour'
    FROM generate_series(1, 150) n`;
  const closeOld = () =>
    deadLetterMessages(shop.db, { source: 'payments', afterMs: 0, error: 'no answer' });
  const first = await closeOld();
  expect(first).toHaveLength(100);
  expect(first.map(({ id }) => id)).not.toContain('late_1');
  expect(await closeOld()).toHaveLength(50);
  expect(await closeOld()).toHaveLength(0);
  expect(await shop.db.deadLetter.count({ where: { source: 'webhook' } })).toBe(150);
});
