/**
 * Records the histories anew: `RECORD_HISTORIES=1 npx vitest run test/replay/record.test.ts`, after
 * a change to the workflow that was meant to change them. Old orders run on the old histories: keep
 * those of a released version, under another name, as long as such orders are under way.
 */
import { describe, expect, test } from 'vitest';
import { environment } from '../../config.ts';
import { expectShipped } from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { textOf, readHistory, writeHistory } from './histories.ts';
import { PATHS } from './paths.ts';
import { beginRefund, REFUND_PATHS } from './refund-paths.ts';

const RECORDING = environment()['RECORD_HISTORIES'] === '1';

describe.runIf(RECORDING)('recording', () => {
  const inUse = useSkippingShop();

  test.each(PATHS)('order path $name is recorded', { timeout: 480_000 }, async (path) => {
    const { shop } = inUse;
    for (const [provider, operation, mode, times] of path.faults) {
      const spec = times === undefined ? { mode } : { mode, times };
      shop.sandbox.faults.set({ provider, operation }, spec);
    }
    path.reject?.(shop.gateways);
    const handle = await shop.start();
    await path.meanwhile?.(inUse, handle);
    expect(await endOf(handle)).toBe(path.ends);
    for (const fault of shop.sandbox.faults.list()) {
      expect(fault.fired, fault.operation).toBeGreaterThan(0);
    }
    if (path.ends === 'shipped' && !path.isManual) await expectShipped(shop, orderIdOf(handle));
    writeHistory(path.name, await handle.fetchHistory());
    const text = textOf(readHistory(path.name));
    for (const word of path.holds) expect(text).toContain(word);
  });

  test.each(REFUND_PATHS)('refund path $name is recorded', { timeout: 240_000 }, async (path) => {
    const { shop } = inUse;
    const handle = await beginRefund(shop, path);
    await path.meanwhile?.(inUse, handle);
    expect((await handle.result()).status).toBe(path.ends);
    for (const fault of shop.sandbox.faults.list()) {
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
