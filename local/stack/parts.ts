/** What each part of the stack is: its command, when it counts as ready, how it stops. */
import { environment } from '../../config.ts';
import { SECRETS } from './addresses.ts';
import type { Addresses } from './addresses.ts';
import { nodeCommand } from './commands.ts';
import type { Home } from './home.ts';
import { isPostgresUp } from './postgres.ts';
import type { Postgres } from './postgres.ts';
import type { PartSpec } from './supervisor.ts';
import { isTemporalUp } from './search-attributes.ts';
import { devServerCommand } from './temporal.ts';

const PROBE_TIMEOUT_MS = 2000;
/** It looks for free ports for its inner services, and ends when another program takes one meanwhile. */
export const TEMPORAL_ATTEMPTS = 3;

export function postgresPart(postgres: Postgres, addresses: Addresses, port: number): PartSpec {
  return {
    name: 'postgres',
    command: postgres.command(port),
    output: 'file',
    isReady: () => isPostgresUp(addresses.databaseUrl),
    startTimeoutMs: 60_000,
    // Fast shutdown: open transactions are rolled back, nothing is lost.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 15_000,
  };
}

export function temporalPart(
  home: Home,
  addresses: Addresses,
  server: { readonly binary: string; readonly port: number; readonly uiPort: number },
): PartSpec {
  return {
    name: 'temporal',
    command: devServerCommand({ ...server, dbFile: home.temporal }),
    output: 'file',
    isReady: () => isTemporalUp(addresses.temporal, addresses.temporalNamespace),
    startTimeoutMs: 60_000,
    attempts: TEMPORAL_ATTEMPTS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 15_000,
  };
}

export function sandboxPart(home: Home, addresses: Addresses): PartSpec {
  const { ports } = addresses;
  const options = {
    '--port': String(ports.SANDBOX_PORT),
    '--smtp-port': String(ports.SMTP_PORT),
    '--state': home.sandbox,
    '--payments-webhook-url': `${addresses.api}/callbacks/payments`,
    '--payments-webhook-secret': SECRETS.paymentsWebhook,
    '--warehouse-callback-secret': SECRETS.warehouseCallback,
  };
  return {
    name: 'sandbox',
    command: nodeCommand('local/sandbox/main.ts', Object.entries(options).flat()),
    output: 'file',
    isReady: () => answersOk(`${addresses.sandbox}/faults`),
    startTimeoutMs: 60_000,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 10_000,
  };
}

/** The app with its role `all`. It names its home, so that its pid can be told from a reused one. */
export function appPart(home: Home, addresses: Addresses, logLevel: string | undefined): PartSpec {
  const env = { ...environment(), ...addresses.environment, ROLE: 'all' };
  return {
    name: 'app',
    command: nodeCommand('main.ts', ['--home', home.path], env),
    output: { showAll: logLevel !== undefined },
    isReady: (pid) => answersAs(pid, `${addresses.api}/readyz`),
    startTimeoutMs: 90_000,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000,
  };
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Ready, and really the process we started: another stack's app may have the port. */
async function answersAs(pid: number | undefined, url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const answer: unknown = await response.json();
    return response.status === 200 && isObject(answer) && answer['pid'] === pid;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
