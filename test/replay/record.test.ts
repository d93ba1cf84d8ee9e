/**
 * Records the histories anew: `RECORD_HISTORIES=1 npx vitest run test/replay/record.test.ts`, after
 * a change to the workflow that was meant to change them. Old orders run on the old histories: keep
 * those of a released version, under another name, as long as such orders are under way.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { environment } from '../../config.ts';
import { createBench, orderIdOf, type Bench, type CheckoutHandle } from '../support/bench.ts';
import { expectShipped } from '../support/expectations.ts';
import { createTimeSkippingEnv } from '../support/temporal.ts';
import { textOf, readHistory, writeHistory } from './histories.ts';
import { PATHS } from './paths.ts';
import { beginRefund, REFUND_PATHS } from './refund-paths.ts';

const RECORDING = environment()['RECORD_HISTORIES'] === '1';

describe.runIf(RECORDING)('recording', () => {
  let env: TestWorkflowEnvironment;
  let bench: Bench;
  beforeAll(async () => {
    env = await createTimeSkippingEnv();
    bench = await createBench({ client: env.client, connection: env.nativeConnection });
  });
  afterEach(() => bench.sandbox.faults.clear());
  afterAll(async () => {
    await bench.close();
    await env.teardown();
  });

  test.each(PATHS)('order path $name is recorded', { timeout: 480_000 }, async (path) => {
    for (const [provider, operation, mode, times] of path.faults) {
      const spec = times === undefined ? { mode } : { mode, times };
      bench.sandbox.faults.set({ provider, operation }, spec);
    }
    const handle = await bench.start();
    await path.meanwhile?.({ bench, env }, handle);
    expect(await endOf(handle)).toBe(path.ends);
    for (const fault of bench.sandbox.faults.list()) {
      expect(fault.fired, fault.operation).toBeGreaterThan(0);
    }
    if (path.ends === 'shipped' && !path.byHand) await expectShipped(bench, orderIdOf(handle));
    writeHistory(path.name, await handle.fetchHistory());
    const text = textOf(readHistory(path.name));
    for (const word of path.holds) expect(text).toContain(word);
  });

  test.each(REFUND_PATHS)('refund path $name is recorded', { timeout: 240_000 }, async (path) => {
    const handle = await beginRefund(bench, env.client, path);
    await path.meanwhile?.({ bench, env }, handle);
    expect((await handle.result()).status).toBe(path.ends);
    for (const fault of bench.sandbox.faults.list()) {
      expect(fault.fired, fault.operation).toBeGreaterThan(0);
    }
    writeHistory(path.name, await handle.fetchHistory());
    const text = textOf(readHistory(path.name));
    for (const word of path.holds) expect(text).toContain(word);
  });
});

async function endOf(handle: CheckoutHandle): Promise<string> {
  try {
    return (await handle.result()).status;
  } catch (error) {
    expect(String(error)).toContain('cancelled');
    return 'cancelled from outside';
  }
}
