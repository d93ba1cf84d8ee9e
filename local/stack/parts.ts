/** The parts of the stack: command, readiness check, stop signal. */
import { z } from 'zod';
import { LOCAL_SECRETS } from '../../config/production.ts';
import { environmentBeside, type Addresses } from './addresses.ts';
import { nodeCommand } from './commands.ts';
import type { Home } from './home.ts';
import type { Postgres } from './postgres.ts';
import type { PartSpec } from './supervisor.ts';
import { isTemporalUp } from './search-attributes.ts';
import { listensOn } from './port-holder.ts';
import { devServerCommand } from './temporal.ts';

const PROBE_TIMEOUT_MS = 2000;
/** After a fault is switched off, its provider is called again within seconds, not after a minute. */
const SHORT_PROBE = { BREAKER_PROBE_AFTER_MS: '5000' };
/** Of the seed (prisma/seed.ts). */
const STOREFRONT_KEY = 'hf_local_storefront';
/** It picks free ports for its inner services, and exits when another program takes one meanwhile. */
export const TEMPORAL_ATTEMPTS = 3;

export function postgresPart(postgres: Postgres, port: number): PartSpec {
  return {
    name: 'postgres',
    command: postgres.command(port),
    output: 'file',
    ports: { POSTGRES_PORT: port },
    isReady: () => postgres.isUp(port),
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
  const { temporalNamespace: namespace } = addresses;
  return {
    name: 'temporal',
    command: devServerCommand({ ...server, dbFile: home.temporal, namespace }),
    output: 'file',
    ports: { TEMPORAL_PORT: server.port, TEMPORAL_UI_PORT: server.uiPort },
    isReady: async (pid) =>
      listensOn(server.port, pid) && isTemporalUp(addresses.temporal, namespace),
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
    '--payments-webhook-secret': LOCAL_SECRETS.paymentsWebhook,
    '--warehouse-callback-secret': LOCAL_SECRETS.warehouseCallback,
    '--api-url': addresses.api,
    '--storefront-key': STOREFRONT_KEY,
    '--temporal-namespace': addresses.temporalNamespace,
    ...(addresses.temporalUi !== undefined && { '--temporal-ui-url': addresses.temporalUi }),
  };
  return {
    name: 'sandbox',
    command: nodeCommand('local/sandbox/main.ts', Object.entries(options).flat()),
    output: 'file',
    ports: { SANDBOX_PORT: ports.SANDBOX_PORT, SMTP_PORT: ports.SMTP_PORT },
    isReady: async (pid) => (await probe(`${addresses.sandbox}/livez`))?.pid === pid,
    startTimeoutMs: 60_000,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 10_000,
  };
}

/** The app in role `all`. Its command line names the home, so that a reused pid is recognized. */
export function appPart(home: Home, addresses: Addresses, logLevel: string | undefined): PartSpec {
  const env = { ...SHORT_PROBE, ...environmentBeside(addresses), ROLE: 'all' };
  return {
    name: 'app',
    command: nodeCommand('main.ts', ['--home', home.path], env),
    output: { showAll: logLevel !== undefined },
    ports: { PORT: addresses.ports.PORT },
    isReady: async (pid) => (await probe(`${addresses.api}/readyz`))?.pid === pid,
    startTimeoutMs: 90_000,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000,
  };
}

const bodySchema = z.object({ pid: z.number().optional() });

/** The body of a 200 response, else null. */
async function probe(url: string): Promise<z.infer<typeof bodySchema> | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const body = bodySchema.parse(await response.json());
    return response.status === 200 ? body : null;
  } catch {
    return null;
  }
}
