/**
 * The process's one connection to Temporal: made in the background and retried for ever, because
 * the API serves without it (G4). Once made, it reconnects by itself.
 */
import { setTimeout } from 'node:timers/promises';
import { Client, type ConnectionLike, type WorkflowClientInterceptor } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { SEARCH_ATTRIBUTES } from '../workflows/checkout/contract.ts';

export interface TemporalLink {
  readonly namespace: string;
  /** Null until the first connection. */
  client(): Client | null;
  /** Resolves with the connection once there is one; null when closed before. */
  connected(): Promise<NativeConnection | null>;
  /** Call it when no worker uses the connection any more. */
  close(): Promise<void>;
}

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
const REGISTER_DEADLINE_MS = 10_000;
/** temporal.api.enums.v1.IndexedValueType */
const VALUE_TYPES = { KEYWORD: 2, INT: 3, BOOL: 5, KEYWORD_LIST: 7 } as const;
const DEFAULT_NAMESPACE = 'default';
const UNAVAILABLE = 'Temporal cannot be reached; orders are accepted without it';
const LOOK_EVERY_MS = 5_000;
const LOOK_DEADLINE_MS = 2_000;
/** One look may be lost to a busy machine. */
const LOOKS_UNTIL_AWAY = 2;
/** gRPC status code. */
const UNIMPLEMENTED = 12;

type Operable = ConnectionLike & Pick<NativeConnection, 'operatorService'>;

/** Address, namespace and credentials come from Temporal's own variables (envconfig). */
export function connectTemporal(
  log: Logger,
  interceptors: readonly WorkflowClientInterceptor[] = [],
): TemporalLink {
  const { connectionOptions, namespace = DEFAULT_NAMESPACE } = loadClientConnectConfig();
  const stopping = new AbortController();
  let client: Client | null = null;
  let watching = Promise.resolve();

  async function connectForEver(): Promise<NativeConnection | null> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      try {
        const connection = await NativeConnection.connect(connectionOptions);
        await haveSearchAttributes(connection, namespace, log);
        client = new Client({
          connection,
          namespace,
          interceptors: { workflow: [...interceptors] },
        });
        log.info({ namespace }, 'connected to Temporal');
        watching = watch(connection, { log, signal: stopping.signal });
        return connection;
      } catch (error) {
        const say = backoffMs === FIRST_BACKOFF_MS ? 'warn' : 'debug';
        log[say]({ err: error }, UNAVAILABLE);
      }
      const wait = { signal: stopping.signal };
      await setTimeout(backoffMs, undefined, wait).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
    return null;
  }

  const connecting = connectForEver();
  return {
    namespace,
    client: () => client,
    connected: () => connecting,
    async close() {
      stopping.abort();
      const connection = await connecting;
      await watching;
      await connection?.close();
    },
  };
}

/** Says once that Temporal is away, and once that it is back. The connection mends itself. */
async function watch(
  connection: NativeConnection,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  let missed = 0;
  while (!signal.aborted) {
    try {
      const look = (): Promise<unknown> => connection.workflowService.getSystemInfo({});
      await connection.withDeadline(Date.now() + LOOK_DEADLINE_MS, look);
      if (missed >= LOOKS_UNTIL_AWAY) log.info('Temporal is back');
      missed = 0;
    } catch (error) {
      missed += 1;
      if (missed === LOOKS_UNTIL_AWAY) log.warn({ err: error }, UNAVAILABLE);
    }
    await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Adds the search attributes that workflows are started with and the namespace does not have yet.
 * Returns their names. Throws when the server does not answer in time, or forbids it.
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
    // The time-skipping test server adds but does not list: it begins with none.
    if (error instanceof Error && 'code' in error && error.code === UNIMPLEMENTED) return [];
    throw error;
  }
}

/** A server that forbids it, as Temporal Cloud does, is only warned of. */
async function haveSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  log: Logger,
): Promise<void> {
  try {
    const added = await registerSearchAttributes(connection, namespace);
    if (added.length > 0) log.info({ names: added }, 'search attributes added');
  } catch (error) {
    const names = Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => `${name} (${type})`);
    log.warn({ err: error, names }, 'search attributes not checked: add them by hand if missing');
  }
}
