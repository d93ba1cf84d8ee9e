import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEventActivities } from '../../activities/events/events.ts';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { createTcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { createNotifications } from '../../prisma/client/listen.ts';
import { useOpened } from '../support/use-opened.ts';
import { useShop } from '../support/shop.ts';

const shop = useShop();
const notifications = useOpened(async () => createNotifications({ url: shop.databaseUrl }));
const proxy = useOpened(() => {
  const { hostname: host, port } = new URL(shop.databaseUrl);
  return createTcpProxy({ target: { port: Number(port), host } });
});
let db: Database;
let eventId: string;
beforeAll(async () => {
  const { orderId } = await shop.order();
  eventId = (await shop.db.event.findFirstOrThrow({ where: { orderId } })).id;
  const url = new URL(shop.databaseUrl);
  url.host = `127.0.0.1:${proxy.port}`;
  db = createDatabase({ url: url.href, poolSize: 2 });
});
afterAll(() => closeDatabase(db));

/** One attempt at the event, by a subscriber that does this with it. */
function deliver(handle: Subscriber['handle']): Promise<unknown> {
  const subscriber: Subscriber = {
    name: 'tested',
    types: [],
    startsAt: 'now',
    maxBatch: 1,
    delayMs: 0,
    deadlineMs: 60_000,
    retryDelaysMs: [],
    handle,
  };
  const { deliverEvent } = createEventActivities({
    db,
    notifications,
    subscriberOf: async () => subscriber,
    startDelivery: () => Promise.reject(new Error('it has a workflow')),
    stopping: new AbortController().signal,
  });
  const input = { subscription: subscriber.name, eventId };
  const quiet = { logger: new DefaultLogger('ERROR') };
  return new MockActivityEnvironment({}, quiet).run(() => deliverEvent(input));
}

test('a database outage fails the activity, not the subscriber, and the event is delivered later', async () => {
  const attempt = deliver(async () => {
    proxy.inject({ kind: 'refuse' });
    await db.$queryRaw`SELECT 1`;
  });
  await expect(attempt).rejects.toThrow();
  proxy.clearFaults();
  expect(await deliver(async () => undefined)).toEqual({ kind: 'delivered' });
});

test('a query timeout of a subscriber counts as its failed attempt while the database is available', async () => {
  const attempt = deliver(() =>
    db.$transaction(async (tx) => {
      await tx.$executeRaw`SET LOCAL statement_timeout = 10`;
      await tx.$queryRaw`SELECT pg_sleep(60)::text`;
    }),
  );
  expect(await attempt).toMatchObject({ kind: 'failed', attempted: true });
});
