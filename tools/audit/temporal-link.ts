/**
 * The audit's connection to Temporal. A server that is away or hangs is said by the first check that
 * asks for the client, within seconds.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { Places } from './options.ts';

export interface AuditedTemporal {
  /** Throws with the reason when there is no connection. */
  client(): Client;
  close(): Promise<void>;
}

const CONNECT_WITHIN_MS = 5_000;

/** Connects, or remembers why not. Never throws. */
export async function openTemporal(place: Places['temporal']): Promise<AuditedTemporal> {
  if (place === null) return away('where Temporal is, is not known: set TEMPORAL_ADDRESS');
  const connecting = NativeConnection.connect(place.connection);
  try {
    const connection = await Promise.race([connecting, tooLate()]);
    const client = new Client({ connection, namespace: place.namespace });
    return { client: () => client, close: () => connection.close() };
  } catch (error) {
    // One that comes after all must not keep the process alive.
    connecting.then((late) => late.close()).catch(() => undefined);
    return away(
      `Temporal cannot be reached: ${error instanceof Error ? error.message : 'unknown'}`,
    );
  }
}

async function tooLate(): Promise<never> {
  await delay(CONNECT_WITHIN_MS, undefined, { ref: false });
  throw new Error(`no answer within ${CONNECT_WITHIN_MS} ms`);
}

function away(reason: string): AuditedTemporal {
  return {
    client() {
      throw new Error(reason);
    },
    close: () => Promise.resolve(),
  };
}
