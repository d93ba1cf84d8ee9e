/**
 * Kills the processes of a run at seeded random moments and takes the time until each is back, and
 * until the API is ready again. A kill is a SIGKILL; PostgreSQL is also killed with all its
 * backends, and stopped at once (SIGQUIT), which is what a machine's shutdown in a hurry does.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { becomesTrue, isErrno } from '../../local/stack/commands.ts';
import { runningPart } from '../../local/stack/leftovers.ts';
import { isPostgresUp } from '../../local/stack/postgres.ts';
import { isTemporalUp } from '../../local/stack/search-attributes.ts';
import { answersOk } from './probes.ts';
import { createRandom } from './random.ts';
import type { Environment } from './environment.ts';

export const TARGETS = ['app', 'worker', 'temporal', 'sandbox', 'postgres'] as const;
export type Target = (typeof TARGETS)[number];

export interface Kill {
  readonly target: Target;
  readonly how: string;
  readonly atMs: number;
  /** From the kill until the process answers again; null: not within two minutes. */
  readonly backAfterMs: number | null;
  /** From the kill until /readyz of the API answered 200 again. */
  readonly apiReadyAfterMs: number | null;
}

export interface Killer {
  readonly kills: readonly Kill[];
  /** True when every victim has been killed so often as was asked. */
  readonly isDone: boolean;
  /** Kills nobody any more; settles when the last victim is back. */
  stop(): Promise<void>;
}

export interface KillerOptions {
  readonly environment: Environment;
  readonly seed: number;
  readonly targets: readonly Target[];
  readonly killsEach: number;
  readonly rhythm: Rhythm;
  readonly say: (line: string) => void;
}

export interface Rhythm {
  /** Between two kills: shortest and longest. */
  readonly pauseMs: { readonly least: number; readonly most: number };
  /** The share of kills that do not wait until the shop is open again. */
  readonly strikesEarly: number;
  /** So long the stack may not start the victim again. */
  readonly keptDownMs: number;
}

const BACK_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 100;
/** More at once, and a small machine would see nothing but processes that start. */
const MAX_DOWN = 2;

/** Starts at once: round after round, each victim once a round, in a seeded order, until it is enough. */
export function startKiller(options: KillerOptions): Killer {
  const kills: Kill[] = [];
  const stopping = new AbortController();
  const watch = watchApi(options.environment);
  const hunting = hunt({ ...options, kills, watch, signal: stopping.signal });
  return {
    kills,
    get isDone() {
      return isDone({ ...options, kills });
    },
    stop: async () => {
      stopping.abort();
      await hunting;
      await watch.stop();
    },
  };
}

interface Hunt extends KillerOptions {
  readonly kills: Kill[];
  readonly watch: ApiWatch;
  readonly signal: AbortSignal;
}

/** Round after round until each victim has been killed so often as was asked. */
async function hunt(options: Hunt): Promise<void> {
  const { seed, targets, rhythm, killsEach, signal } = options;
  const { pauseMs, strikesEarly } = rhythm;
  const random = createRandom(seed, 'kills');
  const startedAt = performance.now();
  const down = new Map<Target, Promise<void>>();
  try {
    while (!isDone(options)) {
      for (const target of random.shuffled(targets)) {
        // Mostly the shop has opened again before the next blow: otherwise nobody would ever buy.
        if (!random.chance(strikesEarly)) await untilOpen(options);
        await delay(random.between(pauseMs.least, pauseMs.most), undefined, { signal });
        await down.get(target);
        if (countOf(options.kills, target) >= killsEach) continue;
        if (down.size >= MAX_DOWN) await Promise.race(down.values());
        signal.throwIfAborted();
        const way = random.pick(target === 'postgres' ? POSTGRES_WAYS : WAYS);
        const back = killOnce(options, { target, way, startedAt });
        down.set(target, back);
        void back.finally(() => down.delete(target));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await Promise.all(down.values());
  }
}

async function untilOpen({ watch, signal }: Hunt): Promise<void> {
  const sinceMs = performance.now();
  const limits = { timeoutMs: BACK_WITHIN_MS, everyMs: LOOK_EVERY_MS };
  await becomesTrue(async () => signal.aborted || watch.readySince(sinceMs), limits);
}

function isDone({ targets, killsEach, kills }: Pick<Hunt, 'targets' | 'killsEach' | 'kills'>) {
  return targets.every((target) => countOf(kills, target) >= killsEach);
}

function countOf(kills: readonly Kill[], target: Target): number {
  return kills.filter((kill) => kill.target === target).length;
}

interface Aim {
  readonly target: Target;
  readonly way: Way;
  readonly startedAt: number;
}

/** Settles when the victim is back. */
async function killOnce(hunt: Hunt, aim: Aim): Promise<void> {
  const { environment, kills, watch, say } = hunt;
  const { target, way, startedAt } = aim;
  const pid = pidOf(environment, target);
  if (pid === null) return;
  const killedAt = performance.now();
  if (!send(way.group ? -pid : pid, way.signal)) return;
  await keepDown(hunt, target);
  const limits = { timeoutMs: BACK_WITHIN_MS, everyMs: LOOK_EVERY_MS };
  const after = async (check: () => Promise<boolean>): Promise<number | null> =>
    (await becomesTrue(check, limits)) ? performance.now() - killedAt : null;
  const isAnother = (): boolean => ![null, pid].includes(pidOf(environment, target));
  await after(async () => isAnother());
  const bornAt = performance.now();
  const [backAfterMs, apiReadyAfterMs] = await Promise.all([
    after(async () => (target === 'app' ? watch.readySince(bornAt) : isUp(environment, target))),
    after(async () => watch.readySince(bornAt)),
  ]);
  kills.push({ target, how: way.how, atMs: killedAt - startedAt, backAfterMs, apiReadyAfterMs });
  const seconds = backAfterMs === null ? 'never' : (backAfterMs / 1000).toFixed(1);
  say(`${target} ${way.how}: back after ${seconds} s`);
}

/** The stack may start the victim again only after its time. */
async function keepDown({ environment, rhythm, signal }: Hunt, target: Target): Promise<void> {
  if (rhythm.keptDownMs === 0 || target === 'worker') return;
  const marker = environment.home.stoppedFile(target);
  writeFileSync(marker, '');
  await delay(rhythm.keptDownMs, undefined, { signal }).catch(() => undefined);
  rmSync(marker, { force: true });
}

interface ApiWatch {
  /** True when a question asked after `atMs` was answered with 200. */
  readySince(atMs: number): boolean;
  stop(): Promise<void>;
}

/** One who asks for all: the API has other things to do than to say that it is ready. */
function watchApi({ addresses }: Environment): ApiWatch {
  let lastAskedMs = -Infinity;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const askedMs = performance.now();
      if (await answersOk(`${addresses.api}/readyz`)) lastAskedMs = askedMs;
      await delay(LOOK_EVERY_MS);
    }
  };
  const running = run();
  return {
    readySince: (atMs) => lastAskedMs > atMs,
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

interface Way {
  readonly how: string;
  readonly signal: NodeJS.Signals;
  /** The whole process group, not the first process alone. */
  readonly group: boolean;
}

const WAYS: readonly Way[] = [{ how: 'SIGKILL', signal: 'SIGKILL', group: true }];
const POSTGRES_WAYS: readonly Way[] = [
  { how: 'SIGKILL', signal: 'SIGKILL', group: false },
  { how: 'SIGKILL of all its processes', signal: 'SIGKILL', group: true },
  { how: 'immediate stop', signal: 'SIGQUIT', group: false },
];

function pidOf(environment: Environment, target: Target): number | null {
  return target === 'worker'
    ? runningPart(environment.workerHome, 'app')
    : runningPart(environment.home, target);
}

function isUp(
  { addresses, workerUrl }: Environment,
  target: Exclude<Target, 'app'>,
): Promise<boolean> {
  switch (target) {
    case 'worker':
      return answersOk(`${workerUrl}/readyz`);
    case 'sandbox':
      return answersOk(`${addresses.sandbox}/faults`);
    case 'postgres':
      return isPostgresUp(addresses.databaseUrl);
    case 'temporal':
      return isTemporalUp(addresses.temporal, addresses.temporalNamespace);
  }
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}
