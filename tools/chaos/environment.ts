/**
 * The stack of a chaos run: in its own home on free ports, with the app and a second worker connected
 * to every server through proxies. The user's stack is not touched, and nothing is left running.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIG_KEYS, environment, readStackConfig } from '../../config.ts';
import { withoutTemporal } from '../../config/temporal.ts';
import { chooseAddresses, saveAddresses, type Addresses } from '../../local/stack/addresses.ts';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  nodeCommand,
} from '../../local/stack/commands.ts';
import { createHome, type Home } from '../../local/stack/home.ts';
import { stopLeftovers } from '../../local/stack/leftovers.ts';
import { tail } from '../../local/stack/output.ts';
import { choosePorts } from '../../local/stack/ports.ts';
import { openRunHome } from '../../local/stack/run-home.ts';
import { returnsOk } from '../http.ts';
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export const PROXIED = ['postgres', 'temporal', 'sandbox', 'mail'] as const;
export type Proxied = (typeof PROXIED)[number];

export interface Environment {
  readonly home: Home;
  /** The home of the second worker. */
  readonly workerHome: Home;
  readonly workerUrl: string;
  /** Where the servers listen; the app knows only the proxies. */
  readonly addresses: Addresses;
  readonly proxies: Readonly<Record<Proxied, TcpProxy>>;
  /** Resolves when app and second worker are ready. Throws with the last lines of the log. */
  start(): Promise<void>;
  /** Stops every process and proxy; deletes the home unless `keep`. Safe to repeat. */
  close(keep: boolean): Promise<void>;
}

/** With the default of a minute, an outage of a second would stop all payments for most of a run. */
const PROBE_AFTER_MS = 2_000;
/** The very first start on a machine may have to build a Temporal server. */
const START_TIMEOUT_MS = 900_000;
const STOP_TIMEOUT_MS = 90_000;
/** Below the range of outgoing connections: nothing else takes the port of a dead server. */
const LOWEST_PORT = 20_000;
const PORT_SPREAD = 10_000;
const WORKER_PORT = 'the second worker';
const PORTS = [
  'PORT',
  'SANDBOX_PORT',
  'SMTP_PORT',
  'POSTGRES_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  WORKER_PORT,
];

/** Chooses ports and opens the proxies; `start` does the rest. */
export async function createEnvironment(): Promise<Environment> {
  const home = await openRunHome(readStackConfig(), 'chaos');
  const workerHome = createHome(join(home.path, 'second-worker'));
  const ports = await freePorts();
  const { addresses: direct } = await chooseAddresses(readStackConfig(ports), home);
  const proxies = await openProxies(direct);
  const addresses = { ...direct, environment: throughProxies(direct, proxies) };
  await saveAddresses(home, addresses);
  const workerPort = ports[WORKER_PORT] ?? '';
  const workerUrl = `http://127.0.0.1:${workerPort}`;
  const logFile = home.logFile('stack');
  let child: ChildProcess | null = null;
  return {
    home,
    workerHome,
    workerUrl,
    addresses,
    proxies,
    start: async () => {
      const started = launchStack([home.path, workerHome.path, workerPort], logFile);
      child = started;
      const isReady = await becomesTrue(
        async () => (await returnsOk(`${workerUrl}/readyz`)) && returnsOk(`${direct.api}/readyz`),
        { timeoutMs: START_TIMEOUT_MS, everyMs: 200, alive: () => !hasEnded(started) },
      );
      if (!isReady) throw new Error(`The stack did not start. Its last lines:\n${tail(logFile)}`);
    },
    close: async (keep) => {
      if (child !== null) await stopStack(child);
      for (const each of [workerHome, home]) await stopLeftovers(each);
      await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
      if (!keep) await rm(home.path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function freePorts(): Promise<Readonly<Record<string, string>>> {
  const first = LOWEST_PORT + ((process.pid * 97) % PORT_SPREAD);
  const chosen = await choosePorts(
    PORTS.map((variable, n) => ({ variable, defaultPort: first + n * 10, requested: undefined })),
  );
  return Object.fromEntries(chosen.map(({ variable, port }) => [variable, String(port)]));
}

async function openProxies({ ports }: Addresses): Promise<Environment['proxies']> {
  const { POSTGRES_PORT, TEMPORAL_PORT, SANDBOX_PORT, SMTP_PORT } = ports;
  if (POSTGRES_PORT === undefined || TEMPORAL_PORT === undefined) {
    throw new Error('a chaos run starts its own servers');
  }
  const open = (port: number) => createTcpProxy({ target: { port } });
  return {
    postgres: await open(POSTGRES_PORT),
    temporal: await open(TEMPORAL_PORT),
    sandbox: await open(SANDBOX_PORT),
    mail: await open(SMTP_PORT),
  };
}

function throughProxies(
  direct: Addresses,
  proxies: Environment['proxies'],
): Addresses['environment'] {
  const database = new URL(direct.databaseUrl);
  database.port = String(proxies.postgres.port);
  const sandbox = `http://127.0.0.1:${proxies.sandbox.port}`;
  return {
    ...direct.environment,
    DATABASE_URL: database.href,
    TEMPORAL_ADDRESS: `127.0.0.1:${proxies.temporal.port}`,
    STRIPE_API_URL: sandbox,
    WAREHOUSE_URL: sandbox,
    TWILIO_API_URL: sandbox,
    SMTP_URL: `smtp://127.0.0.1:${proxies.mail.port}`,
    BREAKER_PROBE_AFTER_MS: String(PROBE_AFTER_MS),
  };
}

/** Without the caller's configuration: a run must never reach a real database or provider. */
function launchStack(args: readonly string[], logFile: string): ChildProcess {
  const { file, args: all, cwd } = nodeCommand('tools/chaos/stack-process.ts', args);
  const own = Object.entries(withoutTemporal(environment())).filter(
    ([name]) => name === 'XDG_CACHE_HOME' || !CONFIG_KEYS.includes(name),
  );
  const log = openSync(logFile, 'a');
  const child = spawn(file, all, {
    detached: true,
    stdio: ['pipe', log, log],
    env: Object.fromEntries(own),
    ...(cwd !== undefined && { cwd }),
  });
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  closeSync(log);
  return child;
}

/** The end of its input stops it. */
async function stopStack(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), STOP_TIMEOUT_MS);
  child.stdin?.end();
  await ended(child);
  clearTimeout(timer);
}
