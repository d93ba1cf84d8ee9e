/** The heartbeats of activities that work through items, and the timeouts that they must stay below. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { itemLoop } from '../../activities/items.ts';
import { PAYMENT_LIMITS } from '../../gateways/resilience/limits.ts';
import { eachItem } from '../../telemetry/items.ts';
import {
  RECONCILE_HEARTBEAT_TIMEOUT_MS,
  SWEEP_HEARTBEAT_TIMEOUT_MS,
} from '../../workflows/operations/contract.ts';

/** For what an item does in our database. */
const DATABASE_MS = 5_000;

test('an activity sends a heartbeat after each item of a loop, also after one that fails', async () => {
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const seen: string[] = [];
  environment.on('heartbeat', () => seen.push('heartbeat'));
  await environment.run(() =>
    eachItem(['one', 'two', 'three'], itemLoop('test', String), async (item) => {
      seen.push(item);
      if (item === 'two') throw new Error('no');
    }),
  );
  expect(seen).toEqual(['one', 'heartbeat', 'two', 'heartbeat', 'three', 'heartbeat']);
});

test('the heartbeat timeouts leave room for the slowest order of a sweep and the slowest payment of a reconciliation', () => {
  const { find, lookup, settle } = PAYMENT_LIMITS;
  const lookUpMs = Math.max(find.deadlineMs, lookup.deadlineMs);
  const expiryMs = lookUpMs + settle.deadlineMs + DATABASE_MS;
  expect(SWEEP_HEARTBEAT_TIMEOUT_MS).toBeGreaterThanOrEqual(expiryMs);
  const comparisonMs = 2 * lookup.deadlineMs + DATABASE_MS;
  expect(RECONCILE_HEARTBEAT_TIMEOUT_MS).toBeGreaterThanOrEqual(comparisonMs);
});
