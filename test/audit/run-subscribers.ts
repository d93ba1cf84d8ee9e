/** Hands every event of a database to the subscribers, as their pumps would. */
import { createAnalyticsSubscriber } from '../../activities/events/subscribers/analytics.ts';
import { createAuditSubscriber } from '../../activities/events/subscribers/audit.ts';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { createWarehouseFeedSubscriber } from '../../activities/events/subscribers/warehouse-feed.ts';
import { createWebhookSubscriber } from '../../activities/events/subscribers/webhook.ts';
import type { WebhookSender } from '../../gateways/webhooks/sender.ts';
import { cursorNow, LOG_START, readLog } from '../../prisma/events/event-log.ts';
import {
  advanceCursor,
  ensureSubscription,
  findSubscription,
} from '../../prisma/events/subscriptions.ts';
import { listEndpoints } from '../../prisma/events/webhook-endpoints.ts';
import type { SeededDatabase } from '../prisma/seeded-database.ts';
import { eventually } from '../support/eventually.ts';
import { CIPHER } from '../support/shop.ts';

/** Every event is handed over, and the cursors are at the end of the log. */
export async function runSubscribers({ db }: SeededDatabase): Promise<void> {
  const written = await db.event.count();
  const subscribers: readonly Subscriber[] = [
    createAuditSubscriber({ db }),
    createAnalyticsSubscriber({ db }),
    createWarehouseFeedSubscriber({ db }),
    ...(await webhookSubscribers(db)),
  ];
  // Other databases of the same server write too: until they are done the end cannot be read.
  await eventually(async () => {
    const { events: readable } = await readLog(db, { after: LOG_START, limit: written + 1 });
    if (readable.length < written) throw new Error('the log is not readable to its end yet');
  });
  for (const { name, types, selectWanted, handle } of subscribers) {
    const { events } = await readLog(db, { after: LOG_START, types, limit: written });
    await handle((await selectWanted?.(events)) ?? events, AbortSignal.timeout(10_000));
    await ensureSubscription(db, { name, types, cursor: LOG_START });
    const subscription = await findSubscription(db, name);
    if (subscription) await advanceCursor(db, subscription, await cursorNow(db));
  }
}

/** Of every endpoint, with a receiver that takes everything. */
async function webhookSubscribers(db: SeededDatabase['db']): Promise<readonly Subscriber[]> {
  const taken = { kind: 'answered', status: 204, retryAfterMs: null, bodyHead: '' } as const;
  const sender: WebhookSender = {
    check: () => Promise.reject(new Error('not called')),
    send: () => Promise.resolve({ ...taken, latencyMs: 1 }),
  };
  const { endpoints } = await listEndpoints(db, { limit: 10 });
  const found = await Promise.all(
    endpoints.map(({ id }) => createWebhookSubscriber({ db, cipher: CIPHER, sender }, id)),
  );
  return found.filter((subscriber) => subscriber !== null);
}
