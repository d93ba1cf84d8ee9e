/**
 * Redrives every open letter of one cause at a given rate, in this process. It keeps no plan of its
 * own: what a stop or a crash leaves is open still, and the same call goes on with it.
 */
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { listOpenOfCause } from '../prisma/events/dead-letters.ts';
import { redrive, type Decider, type RedriveDeps } from './redrive.ts';

export interface RedriveMany {
  readonly fingerprint: string;
  readonly ratePerSecond: number;
  readonly note: string | null;
  readonly by: Decider;
}

export type RedriveManyOutcome =
  | { readonly kind: 'started'; readonly matching: number; readonly redriving: number }
  /** Letters of this cause are being redriven, or too many causes are. */
  | { readonly kind: 'busy' };

export interface Redriver {
  /** What `start` would do. */
  count(fingerprint: string): Promise<{ readonly matching: number; readonly redriving: number }>;
  start(request: RedriveMany): Promise<RedriveManyOutcome>;
  /** Begins no more; resolves when none is under way. */
  drain(): Promise<void>;
}

const MAX_DEAD_LETTERS = 10_000;
const MAX_RUNS = 5;
/** More at once would only queue at Temporal. */
const MAX_AT_ONCE = 20;
/** Temporal is away: the rest stays open. */
const GIVE_UP_AFTER_UNAVAILABLE = 5;

export function createRedriver(deps: RedriveDeps & { readonly log: Logger }): Redriver {
  const runs = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  const find = (fingerprint: string) => listOpenOfCause(deps.db, fingerprint, MAX_DEAD_LETTERS);
  return {
    async count(fingerprint) {
      const { ids, matching } = await find(fingerprint);
      return { matching, redriving: ids.length };
    },
    async start(request) {
      const { fingerprint } = request;
      const isBusy = (): boolean =>
        stopping.signal.aborted || runs.has(fingerprint) || runs.size >= MAX_RUNS;
      if (isBusy()) return { kind: 'busy' };
      const { ids, matching } = await find(fingerprint);
      if (isBusy()) return { kind: 'busy' };
      const run = redriveAll(deps, { ...request, ids, signal: stopping.signal })
        .then((counts) => deps.log.info({ fingerprint, ...counts }, 'dead letters redriven'))
        .catch((error: unknown) => deps.log.error({ err: error, fingerprint }, 'redrive failed'))
        .finally(() => runs.delete(fingerprint));
      runs.set(fingerprint, run);
      return { kind: 'started', matching, redriving: ids.length };
    },
    async drain() {
      stopping.abort();
      await Promise.all(runs.values());
    },
  };
}

async function redriveAll(
  deps: RedriveDeps,
  request: RedriveMany & { readonly ids: readonly string[]; readonly signal: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const { ids, ratePerSecond, note, by, signal } = request;
  const underWay = new Set<Promise<void>>();
  const counts: Record<string, number> = {};
  let failure: unknown = null;
  let unavailable = 0;
  const redriveOne = async (id: string): Promise<void> => {
    const { kind } = await redrive(deps, id, { action: 'retry', note, by });
    counts[kind] = (counts[kind] ?? 0) + 1;
    unavailable = kind === 'unavailable' ? unavailable + 1 : 0;
  };
  const startedAt = performance.now();
  for (const [index, id] of ids.entries()) {
    const waitMs = startedAt + (index * 1_000) / ratePerSecond - performance.now();
    if (waitMs > 0) await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
    if (underWay.size >= MAX_AT_ONCE) await Promise.race(underWay);
    if (signal.aborted || failure !== null || unavailable >= GIVE_UP_AFTER_UNAVAILABLE) break;
    const one = redriveOne(id)
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => underWay.delete(one));
    underWay.add(one);
  }
  await Promise.all(underWay);
  if (failure !== null) throw failure;
  return counts;
}
