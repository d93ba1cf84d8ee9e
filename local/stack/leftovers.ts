/**
 * Process ids on disk: one stack per home, and no process of an earlier stack beside a new one. A
 * pid counts only if the command line of its process names this home.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  linkSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { becomesTrue, isErrno, nodeCommand } from './commands.ts';
import { PART_NAMES, PRIVATE_FILE } from './home.ts';
import type { Home, PartName } from './home.ts';

const STOP_TIMEOUT_MS = 10_000;
const STACK_SCRIPT = 'local/stack/start.ts';
/** Names a run's home to whatever it starts: a server that a library starts has no pid file. */
export const RUN_HOME_VARIABLE = 'HOLDFAST_RUN_HOME';

/** Takes the home until this process exits. Throws a message for people if another stack has it. */
export function claimHome(home: Home): void {
  while (!createLock(home)) {
    const holder = runningStack(home);
    if (holder !== null) {
      throw new Error(
        `A stack is already running on ${home.path} (process ${holder}). ` +
          'Stop it first, or set HOLDFAST_HOME to run another beside it.',
      );
    }
    removeStaleLock(home);
  }
  process.once('exit', () => rmSync(home.lockFile, { force: true }));
}

/** Linked when its pid is written: a lock without one would be taken for one that is left. */
function createLock({ lockFile }: Home): boolean {
  const own = `${lockFile}.${process.pid}`;
  writeFileSync(own, String(process.pid), { mode: PRIVATE_FILE });
  try {
    linkSync(own, lockFile);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw new Error(
      `Cannot claim ${lockFile} by a hard link: set HOLDFAST_HOME to a folder on a local disk.`,
      { cause: error },
    );
  } finally {
    rmSync(own);
  }
}

/** A start that began at the same time may have taken the home since its lock was read: it keeps it. */
function removeStaleLock(home: Home): void {
  const removed = `${home.lockFile}.${process.pid}`;
  try {
    renameSync(home.lockFile, removed);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return;
  }
  if (stackIn(removed) === null) rmSync(removed);
  else renameSync(removed, home.lockFile);
}

/** The pid of another process that runs a stack on the home, or null. */
export function runningStack(home: Home): number | null {
  return stackIn(home.lockFile);
}

function stackIn(lockFile: string): number | null {
  const pid = readPid(lockFile);
  if (pid === null || pid === process.pid) return null;
  return commandLine(pid).includes(STACK_SCRIPT) ? pid : null;
}

/** The pid of a part of this home that is alive, or null. */
export function runningPart(home: Home, part: PartName): number | null {
  const pid = readPid(home.pidFile(part));
  return pid !== null && isOf(home, pid) ? pid : null;
}

/**
 * Starts a process that outlives this one when it is killed, and then stops what it left. Call the
 * returned function after an orderly stop: there is nothing left to clean up. With `only` it stops the process
 * of that pid file alone, also while a stack runs.
 */
export function launchReaper(home: Home, only?: string): () => void {
  const reaped = only === undefined ? [home.path] : [home.path, only];
  const { file, args, cwd } = nodeCommand('local/stack/reaper.ts', reaped);
  const stdio: ['pipe', 'ignore', 'ignore'] = ['pipe', 'ignore', 'ignore'];
  const child = spawn(file, args, { cwd, detached: true, stdio });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  return () => void child.kill('SIGKILL');
}

/**
 * Stops what an earlier stack left running: parts after the ones that depend on them, and before
 * them any other process with a pid file there, or `only` the one of that name. Returns the names of those
 * stopped.
 */
export async function stopLeftovers(home: Home, only?: string): Promise<readonly string[]> {
  const stopped: string[] = [];
  for (const { name, file, pid } of readPidFiles(home)) {
    if (only !== undefined && name !== only) continue;
    if (pid !== null && isOf(home, pid)) {
      await stopPid(pid, name);
      stopped.push(name);
    }
    // A stack that started meanwhile has written its own.
    if (readPid(file) === pid) rmSync(file, { force: true });
  }
  return stopped;
}

/** Kills the processes whose environment names the home as their run's. Finds them on Linux only. */
export function killStartedFor(home: Home): void {
  if (process.platform !== 'linux') return;
  for (const pid of readdirSync('/proc').map(Number)) {
    if (pid > 1 && pid !== process.pid && isStartedFor(home, pid)) signal(pid, 'SIGKILL');
  }
}

function isStartedFor(home: Home, pid: number): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return environment.includes(`${RUN_HOME_VARIABLE}=${home.path}`);
  } catch {
    // It has ended, or is another user's.
    return false;
  }
}

/** Asks the process to stop, waits, then kills it. */
export async function stopPid(pid: number, name: string): Promise<void> {
  signal(pid, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
  const limits = { timeoutMs: STOP_TIMEOUT_MS, everyMs: 50 };
  if (await becomesTrue(async () => !isAlive(pid), limits)) return;
  signal(pid, 'SIGKILL');
  await becomesTrue(async () => !isAlive(pid), limits);
}

/** All read at once, so that no pid of a stack that starts meanwhile is among them. */
function readPidFiles(home: Home) {
  if (!existsSync(home.run)) return [];
  const order: readonly string[] = PART_NAMES;
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : Infinity);
  return readdirSync(home.run)
    .filter((entry) => entry.endsWith('.pid') && entry !== basename(home.lockFile))
    .map((entry) => ({ name: basename(entry, '.pid'), file: join(home.run, entry) }))
    .map((each) => ({ ...each, pid: readPid(each.file) }))
    .toSorted((a, b) => (rank(a.name) < rank(b.name) ? 1 : -1));
}

function readPid(file: string): number | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return null;
  }
  const pid = Number(text.trim());
  return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
}

function isOf(home: Home, pid: number): boolean {
  return commandLine(pid).includes(home.path);
}

function isAlive(pid: number): boolean {
  return commandLine(pid) !== '';
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

/** The process's command line; empty when there is no such process (a zombie has none). */
function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (process.platform === 'win32') {
      const query = `(Get-CimInstance Win32_Process -Filter "ProcessId=${pid}").CommandLine`;
      return execFileSync('powershell', ['-NoProfile', '-Command', query], { encoding: 'utf8' });
    }
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
