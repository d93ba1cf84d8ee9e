/** The audit's connection to Temporal. The first check that needs it reports a failed connection. */
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { rejectAfter } from './check.ts';
import type { Places } from './options.ts';

export interface AuditedTemporal {
  /** Throws with the reason when there is no connection. */
  client(): Client;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Connects, or keeps the reason why not. Never throws. */
export async function openTemporal(place: Places['temporal']): Promise<AuditedTemporal> {
  if (place === null) return unavailable('No Temporal address is known: set TEMPORAL_ADDRESS');
  const connecting = NativeConnection.connect(place.connection);
  try {
    const connection = await Promise.race([connecting, rejectAfter(CONNECT_TIMEOUT_MS)]);
    const client = new Client({ connection, namespace: place.namespace });
    return { client: () => client, close: () => connection.close() };
  } catch (error) {
    // A connection that succeeds late must not keep the process alive.
    connecting.then((late) => late.close()).catch(() => undefined);
    const reason = error instanceof Error ? error.message : 'unknown';
    return unavailable(`Temporal is unavailable: ${reason}`);
  }
}

function unavailable(reason: string): AuditedTemporal {
  return {
    client() {
      throw new Error(reason);
    },
    close: () => Promise.resolve(),
  };
}
