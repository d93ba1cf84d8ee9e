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

export function createNotifications(options: {
  readonly url: string;
  /** Told once per lost connection. */
  readonly onLost?: ((error: unknown) => void) | undefined;
}): Notifications {
  const listeners = new Map<Channel, Set<Listener>>(CHANNELS.map((name) => [name, new Set()]));
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  let current: pg.Client | null = null;

  const tell = (channel: Channel, payload: string | null): void => {
    for (const listener of listeners.get(channel) ?? []) listener(payload);
  };

  async function listenOnce(onListening: () => void): Promise<void> {
    const client = new pg.Client({
      connectionString: options.url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'holdfast listener',
    });
    const ended = new Promise<unknown>((resolve) => {
      client.once('error', resolve);
      client.once('end', () => resolve(new Error('the connection ended')));
    });
    // Later errors of a client that is already given up have no reader.
    client.on('error', () => undefined);
    client.on('notification', ({ channel, payload }) => {
      const known = CHANNELS.find((name) => name === channel);
      if (known) tell(known, payload ?? null);
    });
    try {
      current = client;
      await client.connect();
      for (const channel of CHANNELS) await client.query(`LISTEN ${channel}`);
      onListening();
      for (const channel of CHANNELS) tell(channel, null);
      const reason = await ended;
      if (!stopping.signal.aborted) options.onLost?.(reason);
    } finally {
      current = null;
      await client.end().catch(() => undefined);
    }
  }

  async function listenForEver(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      try {
        await listenOnce(() => {
          backoffMs = FIRST_BACKOFF_MS;
        });
      } catch (error) {
        if (backoffMs === FIRST_BACKOFF_MS) options.onLost?.(error);
      }
      await pause(backoffMs, stopping.signal);
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

/** Sleeps, unless aborted. Does not keep the process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
