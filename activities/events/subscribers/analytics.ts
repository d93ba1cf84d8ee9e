/** Maintains the hourly sales figures. Each event counts once, however often it is delivered. */
import { DEFAULT_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import { addToAnalytics, COUNTED_TYPES } from '../../../prisma/events/analytics.ts';
import type { Database } from '../../../prisma/client/client.ts';
import { consumeOnce } from '../../../prisma/events/consume-once.ts';
import type { Subscriber } from './subscriber.ts';

export function createAnalyticsSubscriber({ db }: { readonly db: Database }): Subscriber {
  return {
    name: 'analytics',
    types: COUNTED_TYPES,
    startsAt: 'beginning',
    maxBatch: 200,
    delayMs: 0,
    deadlineMs: 10_000,
    retryDelaysMs: DEFAULT_RETRY_DELAYS_MS,
    handle: (events) => consumeOnce(db, 'analytics', { events, work: addToAnalytics }),
  };
}
