/** A running shop for a whole test file or describe: opened before its first test, closed after its last. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import { openRunningShop, type RunningShop, type RunningShopOptions } from './running-shop.ts';
import { openNamespace, openTimeSkipping, type Temporal } from './temporal.ts';

export interface ShopInUse {
  readonly shop: RunningShop;
}

export interface SkippingShopInUse extends ShopInUse {
  readonly env: TestWorkflowEnvironment;
}

/**
 * On the dev server, in real time: also for updates that race with the order. The server that skips
 * time may lose an update that arrives while a workflow task is under way.
 */
export function useRunningShop(options: RunningShopOptions = {}): ShopInUse {
  return use(() => openNamespace(), options);
}

/** On a server of its own on which timers and retries pass at once. */
export function useSkippingShop(options: RunningShopOptions = {}): SkippingShopInUse {
  const opened: { env?: TestWorkflowEnvironment } = {};
  const inUse = use(async () => {
    const temporal = await openTimeSkipping();
    opened.env = temporal.env;
    return temporal;
  }, options);
  return {
    get shop() {
      return inUse.shop;
    },
    get env() {
      if (!opened.env) throw new Error('the server starts before the first test');
      return opened.env;
    },
  };
}

/** Every workflow task is replayed: what takes long and has nothing new to replay can be left out. */
export const isReplayed = inject('maxCachedWorkflows') === 0;

function use(open: () => Promise<Temporal>, options: RunningShopOptions): ShopInUse {
  const opened: { temporal?: Temporal; shop?: RunningShop } = {};
  beforeAll(async () => {
    opened.temporal = await open();
    opened.shop = await openRunningShop(opened.temporal, options);
  });
  afterEach(() => opened.shop?.sandbox.faults.clear());
  afterAll(async () => {
    await opened.shop?.close();
    await opened.temporal?.close();
  });
  return {
    get shop() {
      if (!opened.shop) throw new Error('the shop opens before the first test');
      return opened.shop;
    },
  };
}
