/**
 * LISTEN on one dedicated connection per process, reconnected for ever with bounded backoff. A
 * wake-up is a hint, never the truth: a lost one costs its reader a poll.
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
  /** Told once per lost connection. */
  readonly onLost?: ((error: unknown) => void) | undefined;
}

export function createNotifications(options: NotificationsOptions): Notifications {
  const listeners = new Map<Channel, Set<Listener>>(CHANNELS.map((name) => [name, new Set()]));
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  let current: pg.Client | null = null;

  const tell = (channel: Channel, payload: string | null): void => {
    for (const listener of listeners.get(channel) ?? []) listener(payload);
  };

  async function listenForEver(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      const client = createClient(options.url);
      try {
        const { lost } = await listen(client, tell);
        if (stopping.signal.aborted) return;
        // Only now: ending a client that still connects leaves its `connect` hanging.
        current = client;
        backoffMs = FIRST_BACKOFF_MS;
        for (const channel of CHANNELS) tell(channel, null);
        const reason = await lost;
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
      running ??= listenForEver();
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

/** Resolves when listening, with a promise of why it ended. Rejects when it cannot listen. */
async function listen(
  client: pg.Client,
  tell: (channel: Channel, payload: string | null) => void,
): Promise<{ readonly lost: Promise<unknown> }> {
  const lost = new Promise<unknown>((resolve) => {
    // `on`: later errors of a client that was given up must have a reader too.
    client.on('error', resolve);
    client.once('end', () => resolve(new Error('the connection ended')));
  });
  client.on('notification', ({ channel, payload }) => {
    const known = CHANNELS.find((name) => name === channel);
    if (known) tell(known, payload ?? null);
  });
  await client.connect();
  for (const channel of CHANNELS) await client.query(`LISTEN ${channel}`);
  return { lost };
}
