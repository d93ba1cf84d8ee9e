/**
 * The Temporal dev server: where its binary comes from and with which settings it runs. Address and
 * credentials of a server that is not ours are read by @temporalio/envconfig, not here.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { StackConfig } from '../../config.ts';
import { becomesTrue } from './commands.ts';
import type { Command } from './commands.ts';
import { buildTemporal } from './go-build.ts';
import { cacheDir } from './home.ts';
import { searchAttributeFlags } from './search-attributes.ts';
import { downloaded, isDownloadReachable } from './sdk-download.ts';

const VERSION = '1.5.1';
const DOWNLOAD_TIMEOUT_MS = 120_000;

/**
 * The path of a `temporal` binary: the one on PATH, else the cached one, else the SDK's download,
 * else built with Go (minutes, once). Throws one sentence that says what to install.
 */
export async function findTemporal(options: {
  readonly config: StackConfig;
  readonly say: (line: string) => void;
}): Promise<string> {
  const dir = cacheDir(`temporal-${VERSION}`, options.config);
  const built = join(dir, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
  for (const candidate of ['temporal', built]) if (await hasOurFlags(candidate)) return candidate;
  const fetched = (await downloaded(dir)) ?? (await download(dir, options.say));
  if (fetched !== null) return fetched;
  try {
    await buildTemporal({ version: VERSION, binary: built, say: options.say });
    return built;
  } catch (error) {
    throw new Error(
      'There is no Temporal server: put the Temporal CLI on PATH (https://docs.temporal.io/cli), ' +
        'install Go 1.23+ so that it can be built, or set TEMPORAL_ADDRESS to a running one.',
      { cause: error },
    );
  }
}

/**
 * What makes the dev server fast enough: with SQLite's defaults on a file it finishes a few orders a
 * second, and its small poll rate adds tens of milliseconds to every hop.
 */
const SETTINGS = [
  '--namespace default --log-level error',
  '--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL',
  '--dynamic-config-value history.transferProcessorMaxPollRPS=2000',
  '--dynamic-config-value system.enableActivityEagerExecution=true',
].join(' ');

/** The dev server's command. Without a `dbFile` it forgets everything when it stops. */
export function devServerCommand(options: {
  readonly binary: string;
  readonly port: number;
  readonly uiPort?: number;
  readonly dbFile?: string;
}): Command {
  const { binary, port, uiPort, dbFile } = options;
  const args = `server start-dev --ip 127.0.0.1 --port ${port} ${SETTINGS}`.split(' ');
  args.push(...searchAttributeFlags());
  args.push(...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]));
  if (dbFile !== undefined) args.push('--db-filename', dbFile);
  return { file: binary, args };
}

async function hasOurFlags(binary: string): Promise<boolean> {
  if (binary !== 'temporal' && !existsSync(binary)) return false;
  try {
    const args = ['server', 'start-dev', '--help'];
    const { stdout } = await promisify(execFile)(binary, args, { timeout: 20_000 });
    return ['--sqlite-pragma', '--search-attribute'].every((flag) => stdout.includes(flag));
  } catch {
    return false;
  }
}

async function download(dir: string, say: (line: string) => void): Promise<string | null> {
  if (!(await isDownloadReachable())) return null;
  say('fetching the Temporal dev server (once)');
  await mkdir(dir, { recursive: true });
  // Loaded here: it brings the whole worker with it, and is needed at most once.
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const executable = { type: 'cached-download', downloadDir: dir, ttl: '3650 days' } as const;
  const fetching = TestWorkflowEnvironment.createLocal({ server: { executable } }).then(
    (environment) => environment.teardown(),
    () => undefined,
  );
  let path: string | null = null;
  let isOver = false;
  void fetching.finally(() => (isOver = true));
  await becomesTrue(async () => isOver, { timeoutMs: DOWNLOAD_TIMEOUT_MS, everyMs: 250 });
  if (isOver) path = await downloaded(dir);
  return path;
}
