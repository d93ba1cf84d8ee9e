/**
 * Temporal's services as one process with PostgreSQL as their store, as a cluster of a shop has it: the
 * dev server that `npm start` runs keeps its histories in SQLite. Built with Go once. The databases are
 * the stack's server's, and new at each start.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { msToTs } from '@temporalio/common/lib/time.js';
import { Connection } from '@temporalio/client';
import { readStackConfig } from '../../config.ts';
import type { Addresses } from '../../local/stack/addresses.ts';
import { becomesTrue, run } from '../../local/stack/commands.ts';
import { buildWithGo } from '../../local/stack/go-build.ts';
import { cacheDir, type Home } from '../../local/stack/home.ts';
import { choosePorts } from '../../local/stack/ports.ts';
import { createDatabase, dropDatabase } from '../../local/stack/postgres.ts';
import { isTemporalUp } from '../../local/stack/search-attributes.ts';
import { registerSearchAttributes } from '../../temporal/connection.ts';
import { launchLogged } from './launch.ts';

/** That of the dev server. */
const VERSION = '1.29.1';
const MODULE = 'go.temporal.io/server/cmd';
const SCHEMA_WITHIN_MS = 60_000;
const START_WITHIN_MS = 60_000;
const RETENTION = msToTs('1 day');
const NAME = 'bench';
const SERVICES = ['frontend', 'history', 'matching', 'worker'] as const;
const FIRST_PORT = 27_230;

export interface TemporalOnPostgres {
  readonly address: string;
  readonly metricsUrl: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Throws when it cannot be built, or does not start. Its output is in the home's logs. */
export async function startTemporalOnPostgres(options: {
  readonly home: Home;
  readonly addresses: Addresses;
  readonly say: (line: string) => void;
}): Promise<TemporalOnPostgres> {
  const { home, addresses, say } = options;
  const [server, schemaTool] = [await build('server', say), await build('tools/sql', say)];
  const store = await createStore(addresses.databaseUrl, { kind: 'temporal', schemaTool });
  const visibility = await createStore(addresses.databaseUrl, { kind: 'visibility', schemaTool });
  const ports = await portsOf([
    'metrics',
    ...SERVICES.flatMap((name) => [name, `${name} members`]),
  ]);
  const [port, metricsPort] = [ports('frontend'), ports('metrics')];
  const folder = join(home.path, 'temporal-postgres');
  await mkdir(folder, { recursive: true });
  const dynamicFile = join(folder, 'dynamic.yaml');
  // JSON is YAML.
  await writeFile(dynamicFile, JSON.stringify(DYNAMIC));
  const config = configOf({ store, visibility, ports, dynamicFile });
  await writeFile(join(folder, `${NAME}.yaml`), JSON.stringify(config, null, 2));
  const args = ['--root', folder, '--config', '.', '--env', NAME, '--allow-no-auth', 'start'];
  const { child, isAlive, stop } = launchLogged(
    { file: server, args },
    home.logFile('temporal-postgres'),
  );
  const address = `127.0.0.1:${port}`;
  const namespace = addresses.temporalNamespace;
  const isUp = async (): Promise<boolean> =>
    (await isTemporalUp(address, namespace)) || prepare(address, namespace);
  const limits = { timeoutMs: START_WITHIN_MS, everyMs: 500, alive: isAlive };
  if (child.pid === undefined || !(await becomesTrue(isUp, limits))) {
    await stop();
    throw new Error(`Temporal on PostgreSQL does not start: ${home.logFile('temporal-postgres')}`);
  }
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  return { address, metricsUrl, pid: child.pid, stop };
}

/** As for the dev server: local/stack/temporal.ts has the reasons. */
const DYNAMIC = {
  'history.transferProcessorMaxPollRPS': [{ value: 2_000 }],
  'system.enableActivityEagerExecution': [{ value: true }],
};

/** The path of the program. */
async function build(program: string, say: (line: string) => void): Promise<string> {
  const dir = cacheDir(`temporal-server-${VERSION}`, readStackConfig());
  const binary = join(dir, program.split('/').at(-1) ?? program);
  if (existsSync(binary)) return binary;
  const module = `${MODULE}/${program}@v${VERSION}`;
  await buildWithGo({ module, title: `Temporal's ${program} (minutes, once)`, binary, say });
  return binary;
}

type Store = Readonly<Record<string, unknown>>;

/** A new database with Temporal's schema, as a data store of its configuration. */
async function createStore(
  stackUrl: string,
  { kind, schemaTool }: { readonly kind: 'temporal' | 'visibility'; readonly schemaTool: string },
): Promise<Store> {
  const url = new URL(stackUrl);
  url.pathname = `/bench_${kind}`;
  await dropDatabase(url.href);
  await createDatabase(url.href);
  const { hostname, port, username, password } = url;
  const database = `bench_${kind}`;
  const to = ['--plugin', 'postgres12', '--ep', hostname, '-p', port, '-u', username];
  const tool = (...args: string[]): Promise<string> =>
    run(
      { file: schemaTool, args: [...to, '--pw', password, '--db', database, ...args] },
      { timeoutMs: SCHEMA_WITHIN_MS },
    );
  await tool('setup-schema', '--version', '0.0');
  await tool('update-schema', '--schema-name', `postgresql/v12/${kind}`);
  return {
    sql: {
      pluginName: 'postgres12',
      databaseName: database,
      connectAddr: `${hostname}:${port}`,
      connectProtocol: 'tcp',
      user: username,
      password,
      maxConns: 20,
      maxIdleConns: 20,
      maxConnLifetime: '1h',
    },
  };
}

type Ports = (name: string) => number;

/** Free ports by name. Temporal stores those of members in 16 bits with a sign. */
async function portsOf(names: readonly string[]): Promise<Ports> {
  const chosen = await choosePorts(
    names.map((variable, at) => ({
      variable,
      defaultPort: FIRST_PORT + at * 10,
      requested: undefined,
    })),
  );
  return (name) => chosen.find(({ variable }) => variable === name)?.port ?? 0;
}

/** All services in one process. https://docs.temporal.io/references/configuration */
function configOf(of: {
  readonly store: Store;
  readonly visibility: Store;
  readonly ports: Ports;
  readonly dynamicFile: string;
}) {
  const rpcOf = (name: string) => ({
    grpcPort: of.ports(name),
    membershipPort: of.ports(`${name} members`),
    bindOnLocalHost: true,
  });
  return {
    log: { stdout: true, level: 'error' },
    persistence: {
      defaultStore: 'store',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { store: of.store, visibility: of.visibility },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' },
      metrics: { prometheus: { listenAddress: `127.0.0.1:${of.ports('metrics')}` } },
    },
    services: Object.fromEntries(SERVICES.map((name) => [name, { rpc: rpcOf(name) }])),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `127.0.0.1:${of.ports('frontend')}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: of.dynamicFile, pollInterval: '10s' },
  };
}

/** Registers namespace and search attributes. False: not yet. */
async function prepare(address: string, namespace: string): Promise<false> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: '1 second' });
    const { workflowService } = connection;
    await workflowService
      .registerNamespace({ namespace, workflowExecutionRetentionPeriod: RETENTION })
      .catch(() => undefined);
    await registerSearchAttributes(connection, namespace);
  } catch {
    // It is asked again.
  } finally {
    await connection?.close();
  }
  return false;
}
