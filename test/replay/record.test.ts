/**
 * Records the histories anew: `RECORD_HISTORIES=1 npx vitest run test/replay/record.test.ts`, after
 * a change to the workflow that was meant to change them. Old orders run on the old histories: keep
 * those of a released version, under another name, as long as such orders are under way.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { environment } from '../../config.ts';
import { expectShipped } from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { textOf, readHistory, writeHistory } from './histories.ts';
import { arm, PATHS, type Path } from './paths.ts';
import { JOB_PATHS } from './job-paths.ts';
import { beginRefund, REFUND_PATHS } from './refund-paths.ts';

const RECORDING = environment()['RECORD_HISTORIES'] === '1';

describe.runIf(RECORDING)('recording', () => {
  const shop = useSkippingShop();

  /** Writes the history, once it is the path it is named after. */
  const record = async (
    { name, holds }: Pick<Path, 'name' | 'holds'>,
    handle: WorkflowHandle,
  ): Promise<void> => {
    for (const fault of shop.sandbox.faults.list()) {
      expect(fault.fired, fault.operation).toBeGreaterThan(0);
    }
    writeHistory(name, await handle.fetchHistory());
    const text = textOf(readHistory(name));
    for (const word of holds) expect(text).toContain(word);
  };

  test.each(PATHS)('order path $name is recorded', { timeout: 480_000 }, async (path) => {
    arm(shop, path);
    if (path.isBegunLater === true) await shop.stopWorker('checkouts');
    const handle = await shop.start({
      inspectable: path.inspectable === true,
      sms: path.sms === true,
    });
    await path.meanwhile?.(shop, handle);
    expect(await endOf(handle)).toBe(path.ends);
    if (path.ends === 'shipped' && !path.isManual) await expectShipped(shop, orderIdOf(handle));
    await record(path, handle);
  });

  test.each(REFUND_PATHS)('refund path $name is recorded', { timeout: 240_000 }, async (path) => {
    const handle = await beginRefund(shop, path);
    await path.meanwhile?.(shop, handle);
    expect((await handle.result()).status).toBe(path.ends);
    await record(path, handle);
  });
});

describe.runIf(RECORDING)('recording of jobs', () => {
  const shop = useSkippingShop({ queues: ['events', 'jobs'] });

  test.each(JOB_PATHS)('job path $name is recorded', async ({ name, holds, ends, ...path }) => {
    const handle = await path.begin(shop);
    await path.meanwhile?.(handle);
    await handle.result().catch(() => undefined);
    expect((await handle.describe()).status.name).toBe(ends);
    writeHistory(name, await handle.fetchHistory());
    const text = textOf(readHistory(name));
    for (const word of holds) expect(text).toContain(word);
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
