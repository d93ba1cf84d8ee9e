/**
 * Kills the processes of a run at seeded random moments and measures the time until each responds
 * again and until the API is ready again. A kill is a SIGKILL; PostgreSQL is also killed with all its
 * backends, and stopped immediately (SIGQUIT), as in a hurried shutdown of the machine.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { becomesTrue, isErrno } from '../../local/stack/commands.ts';
import { runningPart } from '../../local/stack/leftovers.ts';
import { isPostgresUp } from '../../local/stack/postgres.ts';
import { isTemporalUp } from '../../local/stack/search-attributes.ts';
import { returnsOk } from '../http.ts';
import { createRandom } from '../random.ts';
import type { Environment } from './environment.ts';

export const TARGETS = ['app', 'worker', 'temporal', 'sandbox', 'postgres'] as const;
export type Target = (typeof TARGETS)[number];

export interface Kill {
  readonly target: Target;
  readonly how: string;
  /** From the kill until the process responds again; null: not within two minutes. */
  readonly recoveredAfterMs: number | null;
  /** From the kill until /readyz of the API returned 200 again. */
  readonly apiReadyAfterMs: number | null;
}

export interface Killer {
  readonly kills: readonly Kill[];
  /** True when every target has been killed as often as requested. */
  readonly isDone: boolean;
  /** Kills nothing any more; settles when the last target has recovered. */
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
  /** The share of kills that do not wait until the API is ready again. */
  readonly earlyShare: number;
  /** How long the stack may not start the target again. */
  readonly downtimeMs: number;
}

interface Method {
  readonly how: string;
  readonly signal: NodeJS.Signals;
  /** The whole process group, not the first process alone. */
  readonly group: boolean;
}

const METHODS: readonly Method[] = [{ how: 'SIGKILL', signal: 'SIGKILL', group: true }];
const POSTGRES_METHODS: readonly Method[] = [
  { how: 'SIGKILL', signal: 'SIGKILL', group: false },
  { how: 'SIGKILL of all its processes', signal: 'SIGKILL', group: true },
  { how: 'immediate stop', signal: 'SIGQUIT', group: false },
];
const LIMITS = { timeoutMs: 120_000, everyMs: 100 };
/** With more at once a small machine would do nothing but start processes. */
const MAX_DOWN = 2;

interface State extends KillerOptions {
  readonly kills: Kill[];
  readonly api: ApiWatch;
  readonly signal: AbortSignal;
}

/** Starts at once: round after round, each target once a round, in a seeded order. */
export function startKiller(options: KillerOptions): Killer {
  const kills: Kill[] = [];
  const stopping = new AbortController();
  const api = watchApi(options.environment.addresses.api);
  const state = { ...options, kills, api, signal: stopping.signal };
  const running = killAll(state);
  return {
    kills,
    get isDone() {
      return isDone(state);
    },
    stop: async () => {
      stopping.abort();
      await running;
      await api.stop();
    },
  };
}

async function killAll(state: State): Promise<void> {
  const { seed, targets, rhythm, killsEach, kills, api, signal } = state;
  const { pauseMs, earlyShare } = rhythm;
  const random = createRandom(seed, 'kills');
  const down = new Map<Target, Promise<void>>();
  try {
    while (!isDone(state)) {
      for (const target of random.shuffled(targets)) {
        // Mostly the API is ready again before the next kill: otherwise no order would be placed.
        const sinceMs = random.chance(earlyShare) ? -Infinity : performance.now();
        await becomesTrue(async () => signal.aborted || api.readySince(sinceMs), LIMITS);
        await delay(random.between(pauseMs.least, pauseMs.most), undefined, { signal });
        await down.get(target);
        if (countOf(kills, target) >= killsEach) continue;
        if (down.size >= MAX_DOWN) await Promise.race(down.values());
        signal.throwIfAborted();
        const method = random.pick(target === 'postgres' ? POSTGRES_METHODS : METHODS);
        const recovered = killOnce(state, target, method);
        down.set(target, recovered);
        void recovered.finally(() => down.delete(target));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await Promise.all(down.values());
  }
}

function isDone({ targets, killsEach, kills }: State): boolean {
  return targets.every((target) => countOf(kills, target) >= killsEach);
}

function countOf(kills: readonly Kill[], target: Target): number {
  return kills.filter((kill) => kill.target === target).length;
}

/** Settles when the target has recovered. */
async function killOnce(state: State, target: Target, { how, ...method }: Method): Promise<void> {
  const { environment, kills, api, say } = state;
  const pid = pidOf(environment, target);
  if (pid === null) return;
  const killedAt = performance.now();
  if (!send(method.group ? -pid : pid, method.signal)) return;
  await keepDown(state, target);
  const after = async (check: () => Promise<boolean>): Promise<number | null> =>
    (await becomesTrue(check, LIMITS)) ? performance.now() - killedAt : null;
  await after(async () => ![null, pid].includes(pidOf(environment, target)));
  const restartedAt = performance.now();
  const isApiReady = async (): Promise<boolean> => api.readySince(restartedAt);
  const [recoveredAfterMs, apiReadyAfterMs] = await Promise.all([
    after(target === 'app' ? isApiReady : () => isUp(environment, target)),
    after(isApiReady),
  ]);
  kills.push({ target, how, recoveredAfterMs, apiReadyAfterMs });
  const result =
    recoveredAfterMs === null
      ? 'did not recover'
      : `recovered after ${(recoveredAfterMs / 1000).toFixed(1)} s`;
  say(`  ${target}: ${how}, ${result}`);
}

/** The stack may start the target again only after its downtime. */
async function keepDown({ environment, rhythm, signal }: State, target: Target): Promise<void> {
  if (rhythm.downtimeMs === 0 || target === 'worker') return;
  const marker = environment.home.stoppedFile(target);
  writeFileSync(marker, '');
  await delay(rhythm.downtimeMs, undefined, { signal }).catch(() => undefined);
  rmSync(marker, { force: true });
}

interface ApiWatch {
  /** True when a probe sent after `atMs` returned 200. */
  readySince(atMs: number): boolean;
  stop(): Promise<void>;
}

/** One probe for all: the API has more to do than to report that it is ready. */
function watchApi(url: string): ApiWatch {
  let readyAtMs = -Infinity;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const sentMs = performance.now();
      if (await returnsOk(`${url}/readyz`)) readyAtMs = sentMs;
      await delay(LIMITS.everyMs);
    }
  };
  const running = run();
  return {
    readySince: (atMs) => readyAtMs > atMs,
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

function pidOf({ home, workerHome }: Environment, target: Target): number | null {
  return target === 'worker' ? runningPart(workerHome, 'app') : runningPart(home, target);
}

function isUp({ addresses, workerUrl }: Environment, target: Target): Promise<boolean> {
  switch (target) {
    case 'app':
      return returnsOk(`${addresses.api}/readyz`);
    case 'worker':
      return returnsOk(`${workerUrl}/readyz`);
    case 'sandbox':
      return returnsOk(`${addresses.sandbox}/faults`);
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
