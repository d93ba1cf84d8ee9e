/**
 * Child processes: describing, starting, awaiting and stopping them. Each runs in a process group of
 * its own, so that Ctrl-C reaches only the stack, which stops them in order.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { environment } from '../../config.ts';
import { compiledProgram } from './compile.ts';
import { PRIVATE_FILE, PROJECT } from './home.ts';

const PARENT_CHECK_MS = 500;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd?: string;
}

/** Where a child's output goes: a file it writes itself, or pipes that the stack reads. */
export type Output = { readonly logFile: string } | 'pipe';

/**
 * How the programs run. V8 lets a heap that is far below its limit grow to several times what lives in it
 * before it collects: the app then takes 600 MB and more under load, and no less time. The new generation
 * is kept three times per isolate, and each task queue has an isolate. Half of it saves 25 MB and costs a
 * tenth of the app's time: what lives as long as an order is then copied to the old generation.
 */
export const NODE_FLAGS = [
  '--enable-source-maps',
  '--heap-growing-percent=30',
  '--max-semi-space-size=8',
] as const;

/** glibc keeps what each thread frees for that thread: 60 MB that a single arena reuses. */
export const MALLOC = { MALLOC_ARENA_MAX: '1' } as const;

/**
 * Runs a script of this repository in one Node process: its pid is the script's. Uses the compiled
 * program when it is up to date, else tsx.
 */
export function nodeCommand(
  script: string,
  args: readonly string[],
  env?: Command['env'],
): Command {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const compiled = compiledProgram(script);
  const program = compiled === null ? ['--import', tsx, join(PROJECT, script)] : [compiled];
  return {
    file: process.execPath,
    args: [...NODE_FLAGS, ...program, ...args],
    cwd: PROJECT,
    env: { ...MALLOC, ...(env ?? environment()) },
  };
}

/** Starts the command in its own process group, with no input. */
export function launch(command: Command, output: Output): ChildProcess {
  const log = output === 'pipe' ? null : openSync(output.logFile, 'a', PRIVATE_FILE);
  const sink = log ?? 'pipe';
  const child = spawn(command.file, command.args, {
    detached: true,
    stdio: ['ignore', sink, sink],
    ...(command.env && { env: command.env }),
    ...(command.cwd !== undefined && { cwd: command.cwd }),
    ...(command.uid !== undefined && { uid: command.uid }),
    ...(command.gid !== undefined && { gid: command.gid }),
  });
  // A command that cannot be started has no pid; callers check whether it has ended.
  child.on('error', () => undefined);
  if (log !== null) closeSync(log);
  return child;
}

/** Runs the command to its end. Rejects with its last output when it fails or takes too long. */
export async function run(
  command: Command,
  options: { readonly timeoutMs: number; readonly onOutput?: (text: string) => void },
): Promise<string> {
  const child = launch(command, 'pipe');
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-65_536);
    options.onOutput?.(chunk.toString());
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const kill = (): void => killGroup(child.pid, 'SIGKILL');
  const timer = setTimeout(kill, options.timeoutMs);
  process.once('exit', kill);
  try {
    const code = await closed(child);
    if (code === 0) return output;
    throw new Error(`${command.file} ended with ${code}: ${output.slice(-2000).trim()}`);
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
  }
}

/** Asks the child to stop, and kills its group when it has not ended in time. */
export async function stop(
  child: ChildProcess,
  how: { readonly signal: NodeJS.Signals; readonly timeoutMs: number },
): Promise<void> {
  if (hasEnded(child)) return;
  const end = ended(child);
  child.kill(how.signal);
  const timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), how.timeoutMs);
  await end;
  clearTimeout(timer);
}

/** Resolves when the child has ended, for whatever reason. */
export function ended(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

export function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/**
 * Calls `onLost` once when the command's parent has ended: npm signals its shell, which ends without passing the
 * signal on. Undefined when the command was not started by npm.
 */
export function watchParent(onLost: () => void): NodeJS.Timeout | undefined {
  if (environment()['npm_lifecycle_event'] === undefined) return undefined;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    onLost();
  }, PARENT_CHECK_MS);
  return watch;
}

/** Signals a whole process group; a group that has ended is no error. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

/** Polls until the check returns true. False after the timeout or once `alive` returns false. */
export async function becomesTrue(
  check: () => Promise<boolean>,
  limits: { readonly timeoutMs: number; readonly everyMs: number; readonly alive?: () => boolean },
): Promise<boolean> {
  const deadline = Date.now() + limits.timeoutMs;
  while (Date.now() < deadline) {
    if (limits.alive?.() === false) return false;
    if (await check()) return true;
    await delay(limits.everyMs);
  }
  return false;
}

/** True for a system error with the given code, e.g. `ENOENT`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function closed(child: ChildProcess): Promise<string | number> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'no exit code'));
  });
}
