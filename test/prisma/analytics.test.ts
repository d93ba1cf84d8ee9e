import { expect, test } from 'vitest';
import { countedUntil } from '../../prisma/events/analytics.ts';
import { cursorNow } from '../../prisma/events/event-log.ts';
import { ensureSubscription } from '../../prisma/events/subscriptions.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();

test('while a transaction holds the log, figures are counted until the oldest event that it holds', async () => {
  await shop.db.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT pg_current_xact_id()::text`;
    await shop.place();
    await ensureSubscription(shop.db, {
      name: 'analytics',
      types: [],
      cursor: await cursorNow(shop.db),
    });
    const { time } = await shop.db.event.findFirstOrThrow({ orderBy: { time: 'asc' } });
    const until = await countedUntil(shop.db);
    expect(Date.parse(until ?? '')).toBeLessThanOrEqual(time.getTime());
  });
});
