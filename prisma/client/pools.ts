/** The connections of one process, in separate pools, so that no kind of work queues behind another. */
import { createDatabase, type Database } from './client.ts';
import type { CommitWatcher } from './commit-hook.ts';

/** The share of connections for background work, which takes none from shoppers' requests. */
const BACKGROUND_SHARE = { all: 0.4, api: 0.15, worker: 0.9 } as const;
/**
 * The share of background connections for events, so that subscribers do not wait behind queued
 * checkouts. Metrics and invariants use this pool too. A process that is only an API has two of twenty
 * there, so neither blocks the other.
 */
const EVENTS_SHARE = { all: 0.4, api: 0.6, worker: 0.4 } as const;

interface PoolOptions {
  readonly url: string;
  readonly role: 'all' | 'api' | 'worker';
  /** Of all pools together, at least 3. */
  readonly connections: number;
  readonly onCommit: CommitWatcher | undefined;
}

/** Opens the pools of requests, of activities, and of events. They connect when they are used. */
export function openPools({ url, role, connections, onCommit }: PoolOptions): {
  readonly db: Database;
  readonly backgroundDb: Database;
  readonly eventsDb: Database;
} {
  const portion = (total: number, share: number, min: number): number =>
    Math.min(Math.max(Math.round(total * share), min), total - 1);
  const notRequests = portion(connections, BACKGROUND_SHARE[role], 2);
  const events = portion(notRequests, EVENTS_SHARE[role], 1);
  const open = (poolSize: number) => createDatabase({ url, poolSize, onCommit });
  return {
    db: open(connections - notRequests),
    backgroundDb: open(notRequests - events),
    eventsDb: open(events),
  };
}
