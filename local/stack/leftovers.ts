/**
 * Process ids on disk: one stack per home, and no process of an earlier stack beside a new one. A
 * pid is only believed when the process behind it names this home in its command line.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { becomesTrue, isErrno } from './commands.ts';
import { PART_NAMES } from './home.ts';
import type { Home, PartName } from './home.ts';

const STOP_TIMEOUT_MS = 10_000;
const STACK_SCRIPT = 'local/stack/start.ts';

/** Takes the home for this process, or throws a sentence saying who has it. */
export function claimHome(home: Home): void {
  const holder = runningStack(home);
  if (holder !== null) {
    throw new Error(
      `A stack is already running on ${home.path} (process ${holder}). ` +
        'Stop it first, or set HOLDFAST_HOME to run another beside it.',
    );
  }
  rmSync(home.lockFile, { force: true });
  try {
    writeFileSync(home.lockFile, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    throw new Error(`Another stack is just starting on ${home.path}.`, { cause: error });
  }
}

export function releaseHome(home: Home): void {
  rmSync(home.lockFile, { force: true });
}

/** The pid of the stack that runs on the home, or null. */
export function runningStack(home: Home): number | null {
  const pid = readPid(home.lockFile);
  if (pid === null || pid === process.pid) return null;
  return commandLine(pid).includes(STACK_SCRIPT) ? pid : null;
}

/** The pid of a part of this home that is alive, or null. */
export function runningPart(home: Home, part: PartName): number | null {
  const pid = readPid(home.pidFile(part));
  return pid !== null && isOf(home, pid) ? pid : null;
}

function isOf(home: Home, pid: number): boolean {
  return commandLine(pid).includes(home.path);
}

/**
 * Stops what an earlier stack left running: parts with their dependants first, and before them every
 * other process whose id lies beside theirs. Returns the names of what it stopped.
 */
export async function stopLeftovers(home: Home): Promise<readonly string[]> {
  const stopped: string[] = [];
  for (const name of [...otherProcesses(home), ...PART_NAMES.toReversed()]) {
    const file = join(home.run, `${name}.pid`);
    const pid = readPid(file);
    if (pid !== null && isOf(home, pid)) {
      await stopPid(pid, name);
      stopped.push(name);
    }
    // A stack that started meanwhile has written its own.
    if (readPid(file) === pid) rmSync(file, { force: true });
  }
  return stopped;
}

function otherProcesses(home: Home): readonly string[] {
  if (!existsSync(home.run)) return [];
  const known: readonly string[] = [...PART_NAMES, basename(home.lockFile, '.pid')];
  const files = readdirSync(home.run).filter((file) => file.endsWith('.pid'));
  return files.map((file) => basename(file, '.pid')).filter((name) => !known.includes(name));
}

/** Ends a part by its pid: asks, waits, kills. */
export async function stopPid(pid: number, name: string): Promise<void> {
  signal(pid, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
  const limits = { timeoutMs: STOP_TIMEOUT_MS, everyMs: 50 };
  if (await becomesTrue(async () => !isAlive(pid), limits)) return;
  signal(pid, 'SIGKILL');
  await becomesTrue(async () => !isAlive(pid), limits);
}

function readPid(file: string): number | null {
  if (!existsSync(file)) return null;
  const pid = Number(readFileSync(file, 'utf8').trim());
  return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
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
