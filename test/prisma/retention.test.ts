import { afterAll, beforeAll, expect, test } from 'vitest';
import { cursorNow, LOG_START, readLog } from '../../prisma/event-log.ts';
import { dropOldConsumptions, dropOldEvents, dropOldMessages } from '../../prisma/retention.ts';
import { ensureSubscription, removeSubscription } from '../../prisma/subscriptions.ts';
import { createProviders, type Providers } from '../support/bench.ts';
import { eventually } from '../support/eventually.ts';

let shop: Providers;

beforeAll(async () => {
  shop = await createProviders();
  await shop.place();
  // The log is read up to the oldest transaction of the whole server, other tests' included.
  await eventually(async () => {
    if ((await count()) !== 2) throw new Error('not readable yet');
  });
});
afterAll(() => shop.close());

const count = async (): Promise<number> =>
  (await readLog(shop.db, { after: LOG_START, limit: 100 })).length;

test('young events stay', async () => {
  expect(await dropOldEvents(shop.db, { days: 90, limit: 100 })).toBe(0);
  expect(await count()).toBe(2);
});

test('old events stay while a subscription has not passed them', async () => {
  await ensureSubscription(shop.db, { name: 'slow', types: [], cursor: LOG_START });
  expect(await dropOldEvents(shop.db, { days: -1, limit: 100 })).toBe(0);
  await removeSubscription(shop.db, 'slow');
});

test('old events that everybody has passed go, a bounded number at a time', async () => {
  const cursor = await cursorNow(shop.db);
  await ensureSubscription(shop.db, { name: 'quick', types: [], cursor });
  expect(await dropOldEvents(shop.db, { days: -1, limit: 1 })).toBe(1);
  expect(await dropOldEvents(shop.db, { days: -1, limit: 100 })).toBe(1);
  expect(await count()).toBe(0);
});

test('what a consumer had is kept as long as the event is there to be replayed', async () => {
  await shop.place();
  await shop.db.$executeRaw`
    INSERT INTO consumed_events (consumer, event_id) SELECT 'replayable', id FROM events`;
  expect(await dropOldConsumptions(shop.db, { days: -1, limit: 100 })).toBe(0);
});

test('what a consumer had is forgotten only after its time', async () => {
  await shop.db.$executeRaw`
    INSERT INTO consumed_events (consumer, event_id) VALUES ('c', gen_random_uuid())`;
  expect(await dropOldConsumptions(shop.db, { days: 90, limit: 100 })).toBe(0);
  expect(await dropOldConsumptions(shop.db, { days: -1, limit: 100 })).toBe(1);
});

test('a message from outside is forgotten long after it was acted on, and never before it was', async () => {
  await shop.db.$executeRaw`
    INSERT INTO inbox (source, id, type, payload, received_at, processed_at) VALUES
      ('warehouse', 'old', 't', '{}', now() - interval '1 year', now() - interval '1 year'),
      ('warehouse', 'late', 't', '{}', now() - interval '1 year', now()),
      ('warehouse', 'waiting', 't', '{}', now() - interval '1 year', NULL)`;
  expect(await dropOldMessages(shop.db, { days: 180, limit: 100 })).toBe(1);
  const kept = await shop.db.inboxMessage.findMany({ orderBy: { id: 'asc' } });
  expect(kept.map(({ id }) => id)).toEqual(['late', 'waiting']);
});
