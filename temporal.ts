/**
 * The process's one connection to Temporal: made in the background and retried for ever, because
 * the API serves without it (G4). Once made, it reconnects by itself.
 */
import { setTimeout } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { SEARCH_ATTRIBUTES } from './workflows/contract.ts';

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

/** Address, namespace and credentials come from Temporal's own variables (envconfig). */
export function connectTemporal(log: Logger): TemporalLink {
  const { connectionOptions, namespace = DEFAULT_NAMESPACE } = loadClientConnectConfig();
  const stopping = new AbortController();
  let client: Client | null = null;

  async function connectForEver(): Promise<NativeConnection | null> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      try {
        const connection = await NativeConnection.connect(connectionOptions);
        await registerSearchAttributes(connection, namespace, log);
        client = new Client({ connection, namespace });
        log.info({ namespace }, 'connected to Temporal');
        return connection;
      } catch (error) {
        const say = backoffMs === FIRST_BACKOFF_MS ? 'warn' : 'debug';
        log[say]({ err: error }, 'Temporal cannot be reached; orders are accepted without it');
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
      await (await connecting)?.close();
    },
  };
}

/** Adds the search attributes workflows are started with. A server that forbids it is only warned of. */
async function registerSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  log: Logger,
): Promise<void> {
  const { operatorService } = connection;
  try {
    await connection.withDeadline(Date.now() + REGISTER_DEADLINE_MS, async () => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      const missing = Object.values(SEARCH_ATTRIBUTES).filter(
        ({ name }) => customAttributes?.[name] === undefined,
      );
      if (missing.length === 0) return;
      const searchAttributes = Object.fromEntries(
        missing.map(({ name, type }) => [name, VALUE_TYPES[type]]),
      );
      await operatorService.addSearchAttributes({ namespace, searchAttributes });
      log.info({ names: missing.map(({ name }) => name) }, 'search attributes added');
    });
  } catch (error) {
    const names = Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => `${name} (${type})`);
    log.warn({ err: error, names }, 'search attributes not checked: add them by hand if missing');
  }
}
