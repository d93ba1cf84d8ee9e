/**
 * Redrives every open dead letter with one fingerprint at a given rate, in this process. How far it got is
 * a row that every process can read. After a stop or crash the rest is still open, and the same call
 * continues with it.
 */
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { newId } from '../prisma/client/ids.ts';
import { listOpenOfCause } from '../prisma/events/dead-letters.ts';
import { openRedrive, recordProgress, type Redrive } from '../prisma/events/redrives.ts';
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
  | { readonly kind: 'started'; readonly redrive: Redrive }
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
      const opening = openRedrive(deps.db, {
        id: newId('redrive'),
        fingerprint,
        ratePerSecond: request.ratePerSecond,
        actor: request.by.name,
        matching,
        redriving: ids.length,
      });
      const run = opening
        .then(({ id }) => redriveAll(deps, { ...request, id, ids, signal: stopping.signal }))
        .then((counts) => deps.log.info({ fingerprint, ...counts }, 'dead letters redriven'))
        .catch((error: unknown) => deps.log.error({ err: error, fingerprint }, 'redrive failed'))
        .finally(() => runs.delete(fingerprint));
      runs.set(fingerprint, run);
      return { kind: 'started', redrive: await opening };
    },
    async drain() {
      stopping.abort();
      await Promise.all(runs.values());
    },
  };
}

interface Run extends RedriveMany {
  readonly id: string;
  /** The dead letters. */
  readonly ids: readonly string[];
  readonly signal: AbortSignal;
}

/** Resolves with the number of each outcome. An outage of the database ends it without a last report. */
async function redriveAll(deps: RedriverDeps, run: Run): Promise<Readonly<Record<string, number>>> {
  const { ids, note, by, signal } = run;
  const progress = createProgress(deps, run.id);
  const waitForTurn = paced(run);
  let unavailable = 0;
  let isStopped = false;
  const idOf = ({ id }: { readonly id: string }): string => id;
  const loop = { ...itemLoop(deps, 'bulk_redrive', idOf), concurrency: MAX_CONCURRENT };
  const items = ids.map((id, index) => ({ id, index }));
  await eachItem(items, loop, async ({ id, index }) => {
    await waitForTurn(index);
    isStopped ||= signal.aborted || unavailable >= MAX_UNAVAILABLE;
    if (isStopped) return 'stop';
    const kind = await progress.counted(
      redrive(deps, id, { action: 'retry', note, by }).then((outcome) => outcome.kind),
    );
    unavailable = kind === 'unavailable' ? unavailable + 1 : 0;
    return 'next';
  });
  return progress.end(isStopped ? 'stopped' : 'completed');
}

/** Waits until it is the turn of the item with that index. One wait at a time: each begins when the redrive before it began. */
function paced({ ratePerSecond, signal }: Run): (index: number) => Promise<void> {
  const startedAt = performance.now();
  let begun = Promise.resolve();
  return (index) => {
    begun = begun.then(async () => {
      const waitMs = startedAt + (index * 1_000) / ratePerSecond - performance.now();
      if (waitMs > 0) await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
    });
    return begun;
  };
}

/** How often a running redrive writes how far it got. */
const REPORT_EVERY_MS = 1_000;
/** Of these nothing is left to do: they were resolved, discarded or purged meanwhile. */
const GONE = ['not_open', 'not_found'];

/** Counts outcomes, and writes them at most once a second and at the end. */
function createProgress({ db }: RedriverDeps, id: string) {
  const counts: Record<string, number> = {};
  let reportedAt = performance.now();
  const count = (kind: string): void => {
    counts[kind] = (counts[kind] ?? 0) + 1;
  };
  const write = (status: Parameters<typeof recordProgress>[1]['status']): Promise<void> => {
    const { redriven = 0, ...others } = counts;
    const failed = Object.entries(others).filter(([kind]) => !GONE.includes(kind));
    const sum = failed.reduce((total, [, number]) => total + number, 0);
    return recordProgress(db, { id, status, redriven, failed: sum });
  };
  return {
    /** Counts the outcome, or the error that it throws. */
    async counted(outcome: Promise<string>): Promise<string> {
      const kind = await outcome.catch((error: unknown) => {
        count('failed');
        throw error;
      });
      count(kind);
      if (performance.now() - reportedAt >= REPORT_EVERY_MS) {
        reportedAt = performance.now();
        await write('running');
      }
      return kind;
    },
    async end(status: 'completed' | 'stopped'): Promise<Readonly<Record<string, number>>> {
      await write(status);
      return counts;
    },
  };
}
