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
import type { Rig } from './environment.ts';

export const VICTIMS = ['app', 'worker', 'temporal', 'sandbox', 'postgres'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Kill {
  readonly victim: Victim;
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
  readonly rig: Rig;
  readonly seed: number;
  readonly victims: readonly Victim[];
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
  const watch = watchApi(options.rig);
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
  const { seed, victims, rhythm, killsEach, signal } = options;
  const { pauseMs, strikesEarly } = rhythm;
  const random = createRandom(seed, 'kills');
  const startedAt = performance.now();
  const down = new Map<Victim, Promise<void>>();
  try {
    while (!isDone(options)) {
      for (const victim of random.shuffled(victims)) {
        // Mostly the shop has opened again before the next blow: otherwise nobody would ever buy.
        if (!random.chance(strikesEarly)) await untilOpen(options);
        await delay(random.between(pauseMs.least, pauseMs.most), undefined, { signal });
        await down.get(victim);
        if (countOf(options.kills, victim) >= killsEach) continue;
        if (down.size >= MAX_DOWN) await Promise.race(down.values());
        signal.throwIfAborted();
        const way = random.pick(victim === 'postgres' ? POSTGRES_WAYS : WAYS);
        const back = killOnce(options, { victim, way, startedAt });
        down.set(victim, back);
        void back.finally(() => down.delete(victim));
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

function isDone({ victims, killsEach, kills }: Pick<Hunt, 'victims' | 'killsEach' | 'kills'>) {
  return victims.every((victim) => countOf(kills, victim) >= killsEach);
}

function countOf(kills: readonly Kill[], victim: Victim): number {
  return kills.filter((kill) => kill.victim === victim).length;
}

interface Aim {
  readonly victim: Victim;
  readonly way: Way;
  readonly startedAt: number;
}

/** Settles when the victim is back. */
async function killOnce(hunt: Hunt, aim: Aim): Promise<void> {
  const { rig, kills, watch, say } = hunt;
  const { victim, way, startedAt } = aim;
  const pid = pidOf(rig, victim);
  if (pid === null) return;
  const killedAt = performance.now();
  if (!send(way.group ? -pid : pid, way.signal)) return;
  await keepDown(hunt, victim);
  const limits = { timeoutMs: BACK_WITHIN_MS, everyMs: LOOK_EVERY_MS };
  const after = async (check: () => Promise<boolean>): Promise<number | null> =>
    (await becomesTrue(check, limits)) ? performance.now() - killedAt : null;
  const isAnother = (): boolean => ![null, pid].includes(pidOf(rig, victim));
  await after(async () => isAnother());
  const bornAt = performance.now();
  const [backAfterMs, apiReadyAfterMs] = await Promise.all([
    after(async () => (victim === 'app' ? watch.readySince(bornAt) : isUp(rig, victim))),
    after(async () => watch.readySince(bornAt)),
  ]);
  kills.push({ victim, how: way.how, atMs: killedAt - startedAt, backAfterMs, apiReadyAfterMs });
  const seconds = backAfterMs === null ? 'never' : (backAfterMs / 1000).toFixed(1);
  say(`${victim} ${way.how}: back after ${seconds} s`);
}

/** The stack may start the victim again only after its time. */
async function keepDown({ rig, rhythm, signal }: Hunt, victim: Victim): Promise<void> {
  if (rhythm.keptDownMs === 0 || victim === 'worker') return;
  const marker = rig.home.stoppedFile(victim);
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
function watchApi({ addresses }: Rig): ApiWatch {
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

function pidOf(rig: Rig, victim: Victim): number | null {
  return victim === 'worker' ? runningPart(rig.workerHome, 'app') : runningPart(rig.home, victim);
}

function isUp({ addresses, workerUrl }: Rig, victim: Exclude<Victim, 'app'>): Promise<boolean> {
  switch (victim) {
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
