/** Collects the events that concern the warehouse into batches. Each event is in one batch only. */
import { DEFAULT_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import type { Database } from '../../../prisma/client/client.ts';
import { consumeOnce } from '../../../prisma/events/consume-once.ts';
import { FEED_TYPES, writeFeedBatch } from '../../../prisma/events/warehouse-feed.ts';
import type { Subscriber } from './subscriber.ts';

/** The warehouse plans in rounds: a batch per half a minute is of more use than a row per event. */
const WINDOW_MS = 30_000;

export function createWarehouseFeedSubscriber({ db }: { readonly db: Database }): Subscriber {
  return {
    name: 'warehouse-feed',
    types: FEED_TYPES,
    startsAt: 'beginning',
    maxBatch: 500,
    delayMs: WINDOW_MS,
    deadlineMs: 10_000,
    retryDelaysMs: DEFAULT_RETRY_DELAYS_MS,
    handle: (events) => consumeOnce(db, 'warehouse-feed', { events, work: writeFeedBatch }),
  };
}
