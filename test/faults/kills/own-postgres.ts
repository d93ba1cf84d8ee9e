/** A durable PostgreSQL of one test file: to be killed, filled up and replaced. */
import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import {
  becomesTrue,
  ended,
  hasEnded,
  killGroup,
  launch,
  run,
  stop,
} from '../../../local/stack/commands.ts';
import { migrate } from '../../../local/stack/migrations.ts';
import { createPostgres, isPostgresUp, postgresUrl } from '../../../local/stack/postgres.ts';
import type { OnClose } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { choosePort } from '../../support/ports.ts';
import { makeDir, serverLog } from '../../support/run-files.ts';

export interface OwnPostgres {
  readonly url: string;
  readonly port: number;
  start(): Promise<void>;
  readonly isRunning: boolean;
  /** SIGQUIT is PostgreSQL's immediate stop. Gone when it resolves. */
  kill(signal: 'SIGKILL' | 'SIGQUIT'): Promise<void>;
}

export interface Standby extends OwnPostgres {
  /** Makes it accept writes. */
  promote(): Promise<void>;
}

const STARTED_WITHIN_MS = 60_000;

/** A server with an empty shop. `dir`: the folder of its data, instead of a new one. */
export async function startOwnPostgres(options: {
  readonly onClose: OnClose;
  readonly dir?: string;
  readonly settings?: readonly string[];
}): Promise<OwnPostgres> {
  const { onClose, settings = [] } = options;
  const dataDir = join(options.dir ?? makeDir('postgres'), 'data');
  const server = await createServer({ dataDir, settings, onClose });
  await server.start();
  await migrate({ databaseUrl: server.url });
  return server;
}

/**
 * Two servers with an empty shop: the standby has what the primary acknowledges, so that a failover
 * loses nothing.
 */
export async function startReplicated({ onClose }: { readonly onClose: OnClose }): Promise<{
  readonly primary: OwnPostgres;
  readonly standby: Standby;
}> {
  const dir = makeDir('postgres');
  const places = { primary: join(dir, 'primary'), standby: join(dir, 'standby') };
  await fillCluster(places.primary);
  await run(
    { file: 'cp', args: ['-a', places.primary, places.standby] },
    { timeoutMs: STARTED_WITHIN_MS },
  );
  const synchronous = ['synchronous_standby_names=*', 'synchronous_commit=on'];
  const primary = await createServer({ dataDir: places.primary, settings: synchronous, onClose });
  const { username, password } = new URL(primary.url);
  const source = `host=127.0.0.1 port=${primary.port} user=${username} password=${password}`;
  await writeFile(join(places.standby, 'standby.signal'), '');
  const standby = await createServer({
    dataDir: places.standby,
    settings: [`primary_conninfo=${source}`],
    onClose,
  });
  await primary.start();
  await standby.start();
  return { primary, standby: Object.assign(standby, { promote: () => promote(standby.url) }) };
}

/** An empty shop, stopped properly: its files can be copied. */
async function fillCluster(dataDir: string): Promise<void> {
  const cluster = await createPostgres({ dataDir, durable: true });
  await cluster.initialize();
  const port = await choosePort();
  const server = launch(cluster.command(port), { logFile: serverLog(`postgres-${port}`) });
  try {
    await untilUp(server, postgresUrl(port, 'holdfast'));
    await migrate({ databaseUrl: postgresUrl(port, 'holdfast') });
  } finally {
    await stop(server, { signal: 'SIGINT', timeoutMs: STARTED_WITHIN_MS });
  }
}

async function createServer(options: {
  readonly dataDir: string;
  readonly settings: readonly string[];
  readonly onClose: OnClose;
}): Promise<OwnPostgres> {
  const { dataDir, settings, onClose } = options;
  const cluster = await createPostgres({ dataDir, durable: true });
  await cluster.initialize();
  const port = await choosePort();
  const url = postgresUrl(port, 'holdfast');
  const command = cluster.command(port);
  const args = [...command.args, ...settings.flatMap((setting) => ['-c', setting])];
  let server: ChildProcess | null = null;
  const killIt = (): void => killGroup(server?.pid, 'SIGKILL');
  process.once('exit', killIt);
  // The processes of a killed server hold its shared memory until they have ended, and as long as they
  // do another server refuses to start.
  const start = (): Promise<void> =>
    eventually(async () => {
      server = launch({ ...command, args }, { logFile: serverLog(`postgres-${port}`) });
      await untilUp(server, url);
    });
  const kill = async (signal: 'SIGKILL' | 'SIGQUIT'): Promise<void> => {
    if (!server) return;
    if (signal === 'SIGKILL') killGroup(server.pid, signal);
    else server.kill(signal);
    await ended(server);
  };
  onClose(async () => {
    await kill('SIGKILL');
    process.off('exit', killIt);
  });
  return {
    url,
    port,
    get isRunning() {
      return server !== null && !hasEnded(server);
    },
    start,
    kill,
  };
}

async function untilUp(server: ChildProcess, url: string): Promise<void> {
  const alive = (): boolean => !hasEnded(server);
  const limits = { timeoutMs: STARTED_WITHIN_MS, everyMs: 20, alive };
  if (!(await becomesTrue(() => isPostgresUp(url), limits))) throw new Error('not started');
}

async function promote(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query('SELECT pg_promote(true, 60)');
  } finally {
    await client.end();
  }
}
