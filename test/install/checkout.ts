/** A copy of this checkout in a folder of its own, and the commands a new user runs there. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { inject, onTestFinished } from 'vitest';
import { environment } from '../../config.ts';
import { SETTLED_STATUSES } from '../../domain/order.ts';
import { ended, killGroup } from '../../local/stack/commands.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { choosePort } from '../support/ports.ts';
import { eventually } from '../support/eventually.ts';
import { createApi } from '../support/client.ts';
import { placedOrder } from '../support/orders.ts';
import { orderOf } from '../support/responses.ts';

const execute = promisify(execFile);
/** What a fresh clone does not have, and the packages, which are copied by the faster `cp`. */
const LEFT_OUT = new Set(['.git', '.holdfast', 'dist', 'node_modules', 'prisma/generated']);
const SETTLED: readonly string[] = SETTLED_STATUSES;
const READY_WITHIN = { timeoutMs: 150_000, everyMs: 200 };

export interface Situation {
  /** A command before the user's, e.g. to run it as another user. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Copies what a clone with `npm ci` done has, into a new temporary folder that only its owner may enter.
 * `owner` is a numeric user and group id; `name` is the folder's own.
 */
export async function copyCheckout(name: string, owner?: number): Promise<Checkout> {
  const closed = await mkdtemp(join(tmpdir(), 'install-'));
  const path = join(closed, name);
  await mkdir(path);
  const isWanted = (file: string): boolean => !LEFT_OUT.has(relative(PROJECT, file));
  for (const entry of await readdir(PROJECT)) {
    if (LEFT_OUT.has(entry)) continue;
    await cp(join(PROJECT, entry), join(path, entry), { recursive: true, filter: isWanted });
  }
  await execute('cp', ['-a', join(PROJECT, 'node_modules'), join(path, 'node_modules')]);
  await cacheServers(path);
  if (owner !== undefined) await execute('chown', ['-R', `${owner}:${owner}`, closed]);
  return { path, remove: () => rm(closed, { recursive: true, force: true }) };
}

export interface Checkout {
  readonly path: string;
  remove(): Promise<void>;
}

/** The cache of a user without a home directory, so that no test builds the servers again. */
async function cacheServers(copy: string): Promise<void> {
  for (const server of [inject('temporalPath'), inject('testServerPath')]) {
    const [dir, cache] = [dirname(server), join(copy, '.holdfast', 'cache')];
    // One on the PATH needs no copy.
    if (dir === '.') continue;
    await mkdir(cache, { recursive: true });
    await cp(dir, join(cache, basename(dir)), { recursive: true });
  }
}

export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** Runs one command in the copy to its end, or to the end of the test. */
export async function runIn(
  copy: string,
  command: readonly string[],
  situation: Situation = {},
): Promise<Finished> {
  const { child, output } = begin(copy, command, situation);
  onTestFinished(() => killGroup(child.pid, 'SIGKILL'));
  await ended(child);
  return { code: child.exitCode, output: output() };
}

export interface Started {
  readonly output: () => string;
  /** Places an order; resolves with its settled status. */
  order(): Promise<string>;
  /** Ctrl-C. Throws when a process of the copy is left. */
  stop(): Promise<void>;
}

/** `npm start`, until it is ready. Throws with its output otherwise. */
export async function startIn(copy: string, situation: Situation = {}): Promise<Started> {
  // The default ports may be in use on this machine.
  const PORT = String(await choosePort());
  const env = { ...situation.env, PORT };
  const { child, output } = begin(copy, ['npm', 'start'], { ...situation, env });
  try {
    await eventually(() => {
      if (child.exitCode === null && !output().includes('Holdfast is ready')) throw new Error('');
    }, READY_WITHIN);
    if (child.exitCode !== null) throw new Error('it ended');
  } catch (error) {
    killGroup(child.pid, 'SIGKILL');
    throw new Error(`npm start is not ready: ${output()}`, { cause: error });
  }
  const api = createApi(`http://127.0.0.1:${PORT}`);
  return {
    output,
    async order() {
      const read = { param: { id: await placedOrder({ api }) }, header: { prefer: 'wait=20' } };
      return eventually(async () => {
        const { status } = await orderOf(await api.v1.orders[':id'].$get(read));
        if (!SETTLED.includes(status)) throw new Error(status);
        return status;
      });
    },
    async stop() {
      killGroup(child.pid, 'SIGINT');
      // npm and its shell may be gone before the stack, which they do not wait for.
      await eventually(() => {
        const left = processesOf(copy);
        if (left.length > 0) throw new Error(`still running: ${left.join('\n')}`);
      });
    },
  };
}

/** The path of a program. */
export async function which(program: string): Promise<string> {
  const { stdout } = await execute('sh', ['-c', 'command -v "$1"', 'sh', program]);
  return realpathSync(stdout.trim());
}

/** The processes that run in the copy or name it. */
export function processesOf(copy: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => describeProcess(pid))
    .filter((line) => line.includes(copy));
}

function begin(
  copy: string,
  command: readonly string[],
  { through = [], env = {} }: Situation,
): { readonly child: ChildProcess; readonly output: () => string } {
  const [file = '', ...args] = [...through, ...command];
  const child = spawn(file, args, {
    cwd: copy,
    // This run's own bundling may have set the folder of SWC, which another user may not enter.
    env: { ...environment(), SWC_NATIVE_BINDING_CACHE: undefined, ...env },
    detached: true,
    // Closed: no prompt can be answered.
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  child.on('error', (error) => (output += error.message));
  return { child, output: () => output };
}

/** Its folder and its command line; empty when it has ended meanwhile. */
function describeProcess(pid: string): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return `${readlinkSync(`/proc/${pid}/cwd`)} ${command}`;
  } catch {
    return '';
  }
}
