/** A running shop for a whole test file or describe, with a Temporal of its own. */
import { afterEach, inject } from 'vitest';
import { openRunningShop, type RunningShop, type RunningShopOptions } from './running-shop.ts';
import {
  openNamespace,
  openTimeSkipping,
  type SkippingTemporal,
  type Temporal,
} from './temporal.ts';
import { useOpened } from './use-opened.ts';

/**
 * On the dev server, in real time: also for updates that race with the order. The server that skips
 * time may lose an update that arrives while a workflow task is under way.
 */
export function useRunningShop(options: RunningShopOptions = {}): RunningShop {
  return useShopOn(() => openNamespace(), options);
}

/** On a server of its own on which timers and retries pass at once. */
export function useSkippingShop(options: RunningShopOptions = {}): RunningShop<SkippingTemporal> {
  return useShopOn(openTimeSkipping, options);
}

/** Every workflow task is replayed: what takes long and has nothing new to replay can be left out. */
export const isReplayed = inject('maxCachedWorkflows') === 0;

function useShopOn<T extends Temporal>(
  open: () => Promise<T>,
  options: RunningShopOptions,
): RunningShop<T> {
  const temporal = useOpened(open);
  const shop = useOpened(() => openRunningShop(temporal, options));
  afterEach(() => shop.sandbox.faults.clear());
  return shop;
}
