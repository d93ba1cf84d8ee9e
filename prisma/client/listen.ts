/**
 * LISTEN on one dedicated connection per process, reconnected forever with bounded backoff. A
 * notification is a hint, never the truth: a lost one costs its reader a poll.
 */
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';

/** `payload` is null when notifications may have been missed: anything can have changed. */
export type Listener = (payload: string | null) => void;
export type Channel = 'holdfast_orders' | 'holdfast_products';

export interface Notifications {
  /** Calls `listener` until the returned function is called. Connects on first use. */
  subscribe(channel: Channel, listener: Listener): () => void;
  close(): Promise<void>;
}

const CHANNELS: readonly Channel[] = ['holdfast_orders', 'holdfast_products'];
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;

export interface NotificationsOptions {
  readonly url: string;
  /** Called once per lost connection. */
  readonly onLost?: ((error: unknown) => void) | undefined;
}

export function createNotifications(options: NotificationsOptions): Notifications {
  const listeners = new Map<Channel, Set<Listener>>(CHANNELS.map((name) => [name, new Set()]));
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  let current: pg.Client | null = null;

  const notify = (channel: Channel, payload: string | null): void => {
    for (const listener of listeners.get(channel) ?? []) listener(payload);
  };

  async function listenForever(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      const client = createClient(options.url);
      try {
        const { lost } = await listen(client, notify);
        if (stopping.signal.aborted) return;
        // Not earlier: ending a client that still connects leaves its `connect` pending.
        current = client;
        backoffMs = FIRST_BACKOFF_MS;
        for (const channel of CHANNELS) notify(channel, null);
        const reason = await lost;
        // No notification says any more that a copy is outdated.
        notify('holdfast_products', null);
        if (!stopping.signal.aborted) options.onLost?.(reason);
      } catch (error) {
        if (backoffMs === FIRST_BACKOFF_MS) options.onLost?.(error);
      } finally {
        current = null;
        await client.end().catch(() => undefined);
      }
      const wait = { signal: stopping.signal, ref: false };
      await setTimeout(backoffMs, undefined, wait).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
  }

  return {
    subscribe(channel, listener) {
      listeners.get(channel)?.add(listener);
      running ??= listenForever();
      return () => void listeners.get(channel)?.delete(listener);
    },
    async close() {
      stopping.abort();
      await current?.end().catch(() => undefined);
      await running;
    },
  };
}

function createClient(connectionString: string): pg.Client {
  return new pg.Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'holdfast listener',
  });
}

/** Resolves when it listens, with a promise of the reason it ended. Rejects when it cannot listen. */
async function listen(
  client: pg.Client,
  notify: (channel: Channel, payload: string | null) => void,
): Promise<{ readonly lost: Promise<unknown> }> {
  const lost = new Promise<unknown>((resolve) => {
    // `on`, not `once`: later errors of an abandoned client need a handler too.
    client.on('error', resolve);
    client.once('end', () => resolve(new Error('the connection ended')));
  });
  client.on('notification', ({ channel, payload }) => {
    const known = CHANNELS.find((name) => name === channel);
    if (known) notify(known, payload ?? null);
  });
  await client.connect();
  for (const channel of CHANNELS) await client.query(`LISTEN ${channel}`);
  return { lost };
}
