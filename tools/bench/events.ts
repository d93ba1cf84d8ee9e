/**
 * `npm run bench:events` beside a running stack: events per second through one subscription (real
 * log, workflow, worker) and through a plain `SELECT ... FOR UPDATE SKIP LOCKED` poller, in turns in
 * one run, so that both have the same conditions. Uses its own database, dropped at the end.
 */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pg from 'pg';
import { createEventActivities } from '../../activities/events/events.ts';
import type { Subscriber } from '../../activities/events/subscribers/subscriber.ts';
import { readStackConfig } from '../../config.ts';
import { loadAddresses } from '../../local/stack/addresses.ts';
import { createHome } from '../../local/stack/home.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { cursorNow } from '../../prisma/events/event-log.ts';
import { createNotifications } from '../../prisma/client/listen.ts';
import { ensureSubscription, removeSubscription } from '../../prisma/events/subscriptions.ts';
import {
  SUBSCRIPTION_WORKFLOW,
  subscriptionStartOptions,
} from '../../workflows/events/contract.ts';
import { percentile } from './load.ts';
import { withOwnDatabase } from './own-database.ts';

const ROUNDS = 3;
const EVENTS = 5_000;
const BATCH = 100;

await main();

async function main(): Promise<void> {
  const stack = await loadAddresses(createHome(readStackConfig().HOLDFAST_HOME));
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  await withOwnDatabase(stack.databaseUrl, (url) => compare(url, stack.temporal));
}

async function compare(url: string, temporal: string): Promise<void> {
  const db = createDatabase({ url, poolSize: 8 });
  const connection = await NativeConnection.connect({ address: temporal });
  try {
    await prepare(db);
    const pollers: number[] = [];
    const subscriptions: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const poller = await measurePoller(url);
      const subscription = await measureSubscription({ db, url, connection });
      pollers.push(poller);
      subscriptions.push(subscription);
      print(`round ${round}`, subscription, poller);
    }
    print('median', percentile(subscriptions, 0.5), percentile(pollers, 0.5));
  } finally {
    await connection.close();
    await closeDatabase(db);
  }
}

/** Creates the order of all events, and a plain outbox table for the poller. */
async function prepare(db: Database): Promise<void> {
  await db.$executeRaw`INSERT INTO customers (id, email, name) VALUES ('cus_bench', 'bench@example.com', 'Bench')`;
  await db.$executeRaw`
    INSERT INTO orders (id, status, version, currency, total_minor, customer_id, customer_email,
      customer_name, shipping_address, correlation_id, deadline_at)
    VALUES ('ord_bench', 'placed', 1, 'EUR', 1, 'cus_bench', 'bench@example.com', 'Bench', '{}',
      'bench', now())`;
  await db.$executeRaw`
    CREATE TABLE plain_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data jsonb NOT NULL,
      published_at timestamptz)`;
  await db.$executeRaw`CREATE INDEX ON plain_outbox (id) WHERE published_at IS NULL`;
}

async function measureSubscription(parts: {
  readonly db: Database;
  readonly url: string;
  readonly connection: NativeConnection;
}): Promise<number> {
  const { db, url, connection } = parts;
  const name = `bench-${randomUUID()}`;
  const { subscriber, all } = counter(name);
  await ensureSubscription(db, { name, types: [], cursor: await cursorNow(db) });
  await db.$executeRaw`
    INSERT INTO events (id, type, order_id, seq, correlation_id, data)
    SELECT gen_random_uuid(), 'order.placed', 'ord_bench',
      (SELECT COALESCE(max(seq), 0) FROM events) + n, 'bench', '{"total_minor": 1}'
    FROM generate_series(1, ${EVENTS}::int) AS n`;
  const notifications = createNotifications({ url });
  const stopping = new AbortController();
  const worker = await Worker.create({
    connection,
    taskQueue: name,
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    activities: createEventActivities({
      db,
      notifications,
      subscriberOf: () => Promise.resolve(subscriber),
      startDelivery: () => Promise.reject(new Error('no event may fail')),
      stopping: stopping.signal,
    }),
  });
  const running = worker.run();
  const startedMs = performance.now();
  await new Client({ connection }).workflow.start(SUBSCRIPTION_WORKFLOW, {
    ...subscriptionStartOptions({ subscription: name }),
    taskQueue: name,
  });
  await all;
  const tookMs = performance.now() - startedMs;
  await removeSubscription(db, name);
  stopping.abort();
  worker.shutdown();
  await running;
  await notifications.close();
  return (EVENTS * 1_000) / tookMs;
}

/** A subscriber that only counts, and a promise of its last event. */
function counter(name: string): { subscriber: Subscriber; all: Promise<void> } {
  let left = EVENTS;
  let done: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const subscriber: Subscriber = {
    name,
    types: [],
    startsAt: 'now',
    maxBatch: BATCH,
    delayMs: 0,
    deadlineMs: 10_000,
    retryDelaysMs: [],
    handle(events) {
      left -= events.length;
      if (left <= 0) done();
      return Promise.resolve();
    },
  };
  return { subscriber, all };
}

/** The usual outbox: one process, one table, one batch per transaction. */
async function measurePoller(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `INSERT INTO plain_outbox (data) SELECT '{"total_minor": 1}' FROM generate_series(1, $1::int)`,
    [EVENTS],
  );
  const startedMs = performance.now();
  for (let left = EVENTS; left > 0;) {
    await client.query('BEGIN');
    const { rows } = await client.query<{ id: string }>(
      `SELECT id, data FROM plain_outbox WHERE published_at IS NULL
       ORDER BY id LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`,
    );
    const ids = rows.map((row) => row.id);
    await client.query('UPDATE plain_outbox SET published_at = now() WHERE id = ANY($1)', [ids]);
    await client.query('COMMIT');
    left -= ids.length;
  }
  const tookMs = performance.now() - startedMs;
  await client.end();
  return (EVENTS * 1_000) / tookMs;
}

function print(label: string, subscription: number, poller: number): void {
  const ratio = (subscription / poller).toFixed(2);
  process.stdout.write(
    `${label}: subscription ${Math.round(subscription)}/s, plain poller ${Math.round(poller)}/s, ratio ${ratio}\n`,
  );
}
