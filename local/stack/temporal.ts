/**
 * The Temporal dev server: its binary and its settings. Address and credentials of an external server
 * are read by @temporalio/envconfig, not here.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { StackConfig } from '../../config.ts';
import type { Command } from './commands.ts';
import { buildWithGo } from './go-build.ts';
import { cacheDir } from './home.ts';
import { searchAttributeFlags } from './search-attributes.ts';
import { downloadServer } from './sdk-download.ts';

export const VERSION = '1.5.1';

/**
 * The path of a `temporal` binary: on PATH, cached, downloaded by the SDK, or built with Go (minutes,
 * once). Throws a message that says what to install.
 */
export async function findTemporal(options: {
  readonly config: StackConfig;
  readonly say: (line: string) => void;
}): Promise<string> {
  const dir = cacheDir(`temporal-${VERSION}`, options.config);
  const built = join(dir, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
  for (const candidate of ['temporal', built]) if (await hasOurFlags(candidate)) return candidate;
  const downloaded = await downloadServer('dev server', dir, options.say);
  if (downloaded !== null && (await hasOurFlags(downloaded))) return downloaded;
  try {
    await buildWithGo({
      module: `github.com/temporalio/cli/cmd/temporal@v${VERSION}`,
      title: `the Temporal dev server ${VERSION} (5 to 10 minutes, once)`,
      binary: built,
      say: options.say,
    });
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
 * For speed: with SQLite's defaults on a file the dev server completes a few orders per second, and
 * its low poll rate adds tens of milliseconds to every task.
 */
const SETTINGS = [
  '--log-level error',
  '--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL',
  '--dynamic-config-value history.transferProcessorMaxPollRPS=2000',
  '--dynamic-config-value system.enableActivityEagerExecution=true',
].join(' ');

/** The dev server's command. Without a `dbFile` its state ends with it. */
export function devServerCommand(options: {
  readonly binary: string;
  readonly port: number;
  readonly uiPort?: number;
  readonly dbFile?: string;
  /** Beside `default`, which is always there. */
  readonly namespace?: string;
}): Command {
  const { binary, port, uiPort, dbFile, namespace = 'default' } = options;
  const args = `server start-dev --ip 127.0.0.1 --port ${port} ${SETTINGS}`.split(' ');
  args.push('--namespace', namespace, ...searchAttributeFlags());
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
