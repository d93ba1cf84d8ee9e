/**
 * Redrives every open dead letter with one fingerprint at a given rate, in this process. No progress
 * is stored: after a stop or crash the rest is still open, and the same call continues with it.
 */
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { listOpenOfCause } from '../prisma/events/dead-letters.ts';
import { eachItem } from '../telemetry/items.ts';
import { itemLoop } from './items.ts';
import { redrive, type Decider, type RedriveDeps } from './redrive.ts';

export interface RedriveMany {
  readonly fingerprint: string;
  readonly ratePerSecond: number;
  readonly note: string | null;
  readonly by: Decider;
}

export type RedriveManyOutcome =
  | { readonly kind: 'started'; readonly matching: number; readonly redriving: number }
  /** A redrive of this fingerprint is running, or too many others are. */
  | { readonly kind: 'busy' };

export interface Redriver {
  /** Counts the dead letters that `start` would redrive. */
  count(fingerprint: string): Promise<{ readonly matching: number; readonly redriving: number }>;
  start(request: RedriveMany): Promise<RedriveManyOutcome>;
  /** Stops all runs and resolves when their current redrives have finished. */
  drain(): Promise<void>;
}

const MAX_DEAD_LETTERS = 10_000;
const MAX_RUNS = 5;
/** More concurrent starts would only queue in Temporal. */
const MAX_CONCURRENT = 20;
/** After this many in a row Temporal counts as unavailable, and the rest stays open. */
const MAX_UNAVAILABLE = 5;

type RedriverDeps = RedriveDeps & { readonly log: Logger };

export function createRedriver(deps: RedriverDeps): Redriver {
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
  deps: RedriverDeps,
  request: RedriveMany & { readonly ids: readonly string[]; readonly signal: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const { ids, ratePerSecond, note, by, signal } = request;
  const counts: Record<string, number> = {};
  let unavailable = 0;
  const startedAt = performance.now();
  // One wait at a time: each begins when the redrive before it began.
  let begun = Promise.resolve();
  const waitForTurn = (index: number): Promise<void> => {
    begun = begun.then(async () => {
      const waitMs = startedAt + (index * 1_000) / ratePerSecond - performance.now();
      if (waitMs > 0) await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
    });
    return begun;
  };
  const idOf = ({ id }: { readonly id: string }): string => id;
  const loop = { ...itemLoop(deps, 'bulk_redrive', idOf), concurrency: MAX_CONCURRENT };
  const items = ids.map((id, index) => ({ id, index }));
  const failed = await eachItem(items, loop, async ({ id, index }) => {
    await waitForTurn(index);
    if (signal.aborted || unavailable >= MAX_UNAVAILABLE) return 'stop';
    const { kind } = await redrive(deps, id, { action: 'retry', note, by });
    counts[kind] = (counts[kind] ?? 0) + 1;
    unavailable = kind === 'unavailable' ? unavailable + 1 : 0;
    return 'next';
  });
  return failed.length === 0 ? counts : { ...counts, failed: failed.length };
}
