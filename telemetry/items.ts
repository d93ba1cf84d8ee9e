/**
 * Loops over items of which each may fail on its own: orders, messages, dead letters. A failing item
 * is counted and logged with its id, and the next one is looked at.
 */
import pMap from 'p-map';
import { Counter } from 'prom-client';

/** What every item would meet: a server does not respond. It ends a loop. */
export class OutageError extends Error {
  override readonly name = 'OutageError';
}

/** Failures of single items by loop, in this process. The metrics of the API show it. */
export const itemFailures = new Counter({
  name: 'holdfast_item_failures_total',
  help: 'Items that failed while the loop continued with the next one.',
  labelNames: ['loop'] as const,
  registers: [],
});

export interface ItemLoop<T> {
  /** The label of the metric. */
  readonly loop: string;
  readonly idOf: (item: T) => string;
  /** Logs a warning. `about` has the loop, the id of the item and the error (`err`). */
  readonly warn: (about: ItemFailure, message: string) => void;
  /** Besides OutageError: errors that every item would meet. */
  readonly isOutage: (error: unknown) => boolean;
  /** One at a time unless given. */
  readonly concurrency?: number;
  /** Called after each item, also after one that failed. */
  readonly afterItem?: () => void;
}

export interface ItemFailure {
  readonly loop: string;
  readonly item: string;
  readonly err: unknown;
}

/**
 * Works on every item, and returns those that failed with their errors. `work` ends the loop by
 * returning `stop`; items that have begun are finished. Throws the first outage, likewise.
 */
export async function eachItem<T>(
  items: readonly T[],
  loop: ItemLoop<T>,
  work: (item: T) => Promise<unknown>,
): Promise<readonly { readonly item: T; readonly error: unknown }[]> {
  const failed: { item: T; error: unknown }[] = [];
  const outages: unknown[] = [];
  let stopped = false;
  const workOn = async (item: T): Promise<void> => {
    if (stopped) return;
    try {
      if ((await work(item)) === 'stop') stopped = true;
    } catch (error) {
      if (error instanceof OutageError || loop.isOutage(error)) {
        stopped = true;
        outages.push(error);
        return;
      }
      failed.push({ item, error });
      reportFailure(loop, item, error);
    } finally {
      loop.afterItem?.();
    }
  };
  await pMap(items, workOn, { concurrency: loop.concurrency ?? 1 });
  if (outages.length > 0) throw outages[0];
  return failed;
}

function reportFailure<T>({ loop, idOf, warn }: ItemLoop<T>, item: T, err: unknown): void {
  itemFailures.inc({ loop });
  warn({ loop, item: idOf(item), err }, 'an item failed, the next one is looked at');
}
