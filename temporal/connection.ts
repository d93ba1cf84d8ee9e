/**
 * The process's connection to Temporal. It is opened in the background and retried until it succeeds,
 * because the API serves without it. Once open, it reconnects on its own.
 */
import { setTimeout } from 'node:timers/promises';
import { Client, type ConnectionLike, type WorkflowClientInterceptor } from '@temporalio/client';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { SEARCH_ATTRIBUTES } from '../workflows/checkout/contract.ts';
import { namespaceUnavailableReason } from './namespace.ts';

export interface TemporalLink {
  readonly namespace: string;
  /** Null until the first connection. */
  client(): Client | null;
  /** Resolves with the first connection, or with null if closed before that. */
  connected(): Promise<NativeConnection | null>;
  /** Call it after all workers that use the connection have stopped. */
  close(): Promise<void>;
}

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
const REGISTER_DEADLINE_MS = 10_000;
/** temporal.api.enums.v1.IndexedValueType */
const VALUE_TYPES = { KEYWORD: 2, INT: 3, BOOL: 5, KEYWORD_LIST: 7 } as const;
const DEFAULT_NAMESPACE = 'default';
const UNAVAILABLE = 'Temporal is unavailable; orders are still accepted';
const CHECK_EVERY_MS = 5_000;
const CHECK_DEADLINE_MS = 2_000;
/** A single check may fail on a busy machine. */
const FAILURES_UNTIL_UNAVAILABLE = 2;
/** gRPC status code. */
const UNIMPLEMENTED = 12;

type Operable = ConnectionLike & Pick<NativeConnection, 'operatorService'>;

export function connectTemporal(options: {
  readonly settings: ClientConnectConfig;
  readonly log: Logger;
  readonly interceptors?: readonly WorkflowClientInterceptor[];
}): TemporalLink {
  const { settings, log, interceptors = [] } = options;
  const { connectionOptions, namespace = DEFAULT_NAMESPACE } = settings;
  const stopping = new AbortController();
  let client: Client | null = null;
  let watching = Promise.resolve();

  async function connectUntilStopped(): Promise<NativeConnection | null> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      try {
        const connection = await NativeConnection.connect(connectionOptions);
        await ensureSearchAttributes(connection, namespace, log);
        client = new Client({
          connection,
          namespace,
          interceptors: { workflow: [...interceptors] },
        });
        log.info({ namespace }, 'connected to Temporal');
        watching = watch(connection, { namespace, log, signal: stopping.signal });
        return connection;
      } catch (error) {
        const level = backoffMs === FIRST_BACKOFF_MS ? 'warn' : 'debug';
        log[level]({ err: error }, UNAVAILABLE);
      }
      const wait = { signal: stopping.signal };
      await setTimeout(backoffMs, undefined, wait).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
    return null;
  }

  const connecting = connectUntilStopped();
  // The SDK's attempt to connect to an address that does not respond cannot be aborted.
  const connected = unlessAborted(connecting, stopping.signal);
  return {
    namespace,
    client: () => client,
    connected: () => connected,
    async close() {
      stopping.abort();
      const connection = await connected;
      await watching;
      await connection?.close();
    },
  };
}

/** The same promise; null when the signal is aborted before it resolves. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null);
  const aborted = new Promise<null>((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  return Promise.race([promise, aborted]);
}

/** Logs each outage once, and its end once. The connection reconnects on its own. */
async function watch(
  connection: NativeConnection,
  watched: { readonly namespace: string; readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { namespace, log, signal } = watched;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const check = (): Promise<string | null> => namespaceUnavailableReason(connection, namespace);
      const reason = await connection.withDeadline(Date.now() + CHECK_DEADLINE_MS, check);
      if (reason !== null) throw new Error(reason);
      if (failures >= FAILURES_UNTIL_UNAVAILABLE) log.info('Temporal is available again');
      failures = 0;
    } catch (error) {
      failures += 1;
      if (failures === FAILURES_UNTIL_UNAVAILABLE) log.warn({ err: error }, UNAVAILABLE);
    }
    await setTimeout(CHECK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Adds the workflows' search attributes that the namespace lacks, and returns their names. Throws when
 * the server does not respond in time or denies permission.
 */
export async function registerSearchAttributes(
  connection: Operable,
  namespace: string,
): Promise<readonly string[]> {
  const { operatorService } = connection;
  return connection.withDeadline(Date.now() + REGISTER_DEADLINE_MS, async () => {
    const known = await listSearchAttributes(connection, namespace);
    const missing = Object.values(SEARCH_ATTRIBUTES).filter(({ name }) => !known.includes(name));
    if (missing.length === 0) return [];
    const searchAttributes = Object.fromEntries(
      missing.map(({ name, type }) => [name, VALUE_TYPES[type]]),
    );
    await operatorService.addSearchAttributes({ namespace, searchAttributes });
    return missing.map(({ name }) => name);
  });
}

async function listSearchAttributes(
  { operatorService }: Operable,
  namespace: string,
): Promise<readonly string[]> {
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return Object.keys(customAttributes);
  } catch (error) {
    // The time-skipping test server can add but not list them, and starts with none.
    if (error instanceof Error && 'code' in error && error.code === UNIMPLEMENTED) return [];
    throw error;
  }
}

/** Only warns when the server denies permission, as Temporal Cloud does. */
async function ensureSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  log: Logger,
): Promise<void> {
  try {
    const added = await registerSearchAttributes(connection, namespace);
    if (added.length > 0) log.info({ names: added }, 'search attributes added');
  } catch (error) {
    const names = Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => `${name} (${type})`);
    log.warn({ err: error, names }, 'search attributes not checked: add them manually if missing');
  }
}
