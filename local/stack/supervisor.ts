/**
 * Keeps one part of the stack running: starts it, waits until it is ready, restarts it with back-off
 * when it dies, and leaves it stopped while its marker file exists.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { becomesTrue, ended, hasEnded, killGroup, launch, stop } from './commands.ts';
import type { Command } from './commands.ts';
import { PRIVATE_FILE, type Home, type PartName } from './home.ts';
import { isFree } from './ports.ts';
import { follow, say, startLog, tail } from './output.ts';

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 15_000;
const POLL_MS = 200;

export interface PartSpec {
  readonly name: PartName;
  readonly command: Command;
  /** `file`: only its log file. Otherwise its lines are printed too. */
  readonly output: 'file' | { readonly showAll: boolean };
  /** The ports it listens on, by the variables that choose them. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Gets the part's process id: another stack's part may have the port, and answer in its place. */
  readonly isReady: (pid: number | undefined) => Promise<boolean>;
  readonly startTimeoutMs: number;
  /** How often its first start is attempted; default once. */
  readonly attempts?: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopTimeoutMs: number;
}

export interface Part {
  readonly name: PartName;
  /** Resolves when the part is ready. Throws with its last log lines when it does not get ready. */
  start(): Promise<void>;
  /** Stops it for good and waits for its end. */
  stop(): Promise<void>;
  /** Kills it and everything it started, now. */
  kill(): void;
}

interface State {
  child: ChildProcess | null;
  stopping: boolean;
  backoffMs: number;
}

export function createPart(spec: PartSpec, home: Home): Part {
  const state: State = { child: null, stopping: false, backoffMs: FIRST_BACKOFF_MS };
  const kill = (): void => killGroup(state.child?.pid, 'SIGKILL');
  return {
    name: spec.name,
    start: async () => {
      process.on('exit', kill);
      startLog(home.logFile(spec.name));
      rmSync(home.stoppedFile(spec.name), { force: true });
      await startFirst({ spec, home, state });
      void keepRunning({ spec, home, state });
    },
    stop: async () => {
      state.stopping = true;
      const { child } = state;
      if (child !== null) {
        await stop(child, { signal: spec.stopSignal, timeoutMs: spec.stopTimeoutMs });
      }
      process.off('exit', kill);
      rmSync(home.pidFile(spec.name), { force: true });
    },
    kill,
  };
}

interface Supervised {
  readonly spec: PartSpec;
  readonly home: Home;
  readonly state: State;
}

async function startFirst(supervised: Supervised): Promise<void> {
  const { attempts = 1 } = supervised.spec;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(supervised);
    } catch (error) {
      if (attempt >= attempts) throw error;
    }
  }
}

async function startOnce({ spec, home, state }: Supervised): Promise<void> {
  const logFile = home.logFile(spec.name);
  if (state.stopping) return;
  const child = launchPrivately(spec.command, spec.output === 'file' ? { logFile } : 'pipe');
  if (spec.output !== 'file') follow(child, { name: spec.name, logFile, ...spec.output });
  state.child = child;
  if (child.pid !== undefined) {
    writeFileSync(home.pidFile(spec.name), String(child.pid), { mode: PRIVATE_FILE });
  }
  const isReady = await becomesTrue(() => spec.isReady(child.pid), {
    timeoutMs: spec.startTimeoutMs,
    everyMs: 50,
    alive: () => !hasEnded(child) && !state.stopping,
  });
  if ((isReady && !hasEnded(child)) || state.stopping) return;
  const how = hasEnded(child)
    ? `exited during its start (${exitOf(child)})`
    : 'was not ready in time';
  await stop(child, { signal: spec.stopSignal, timeoutMs: spec.stopTimeoutMs });
  const taken = await takenPorts(spec);
  throw new Error(`${spec.name} ${how}.${taken} Its last lines (${logFile}):\n${tail(logFile)}`);
}

/** After its end: a port that is not free is another program's. */
async function takenPorts({ ports = {} }: PartSpec): Promise<string> {
  const found = await Promise.all(
    Object.entries(ports).map(async ([variable, port]) =>
      (await isFree(port))
        ? ''
        : ` Port ${port} is in use by another program: start again, or set ${variable} to another.`,
    ),
  );
  return found.join('');
}

/** What it writes is for this user alone. A child inherits the mask of the moment. */
function launchPrivately(...args: Parameters<typeof launch>): ChildProcess {
  const before = process.umask(0o077);
  try {
    return launch(...args);
  } finally {
    process.umask(before);
  }
}

/** Restarts the part until it is stopped for good. */
async function keepRunning(supervised: Supervised): Promise<void> {
  const { spec, home, state } = supervised;
  for (;;) {
    if (state.child !== null) await ended(state.child);
    if (state.stopping) return;
    if (existsSync(home.stoppedFile(spec.name))) {
      await waitWhileStopped(supervised);
    } else {
      const how = state.child === null ? '' : ` (${exitOf(state.child)})`;
      say(`${spec.name} exited${how}; restarting it in ${state.backoffMs / 1000} s`);
      await delay(state.backoffMs);
      state.backoffMs = Math.min(state.backoffMs * 2, LONGEST_BACKOFF_MS);
    }
    await restart(supervised);
  }
}

async function restart(supervised: Supervised): Promise<void> {
  const { spec, home, state } = supervised;
  if (state.stopping || existsSync(home.stoppedFile(spec.name))) return;
  const startedAt = Date.now();
  try {
    await startOnce(supervised);
    // It was ready, so its next exit is no crash loop.
    state.backoffMs = FIRST_BACKOFF_MS;
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    if (!state.stopping) say(`${spec.name} is ready again after ${seconds} s`);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

async function waitWhileStopped({ spec, home, state }: Supervised): Promise<void> {
  rmSync(home.pidFile(spec.name), { force: true });
  say(`${spec.name} stays stopped; start it with: npm run stack -- start ${spec.name}`);
  while (existsSync(home.stoppedFile(spec.name)) && !state.stopping) await delay(POLL_MS);
  state.backoffMs = FIRST_BACKOFF_MS;
}

function exitOf(child: ChildProcess): string {
  return child.signalCode ?? `exit code ${child.exitCode ?? 'unknown'}`;
}
