import { expect, test } from 'vitest';
import type { Mode, Place } from '../../local/sandbox/faults.ts';
import { statusQuery } from '../../workflows/contract.ts';
import { orderIdOf } from '../support/bench.ts';
import { describeCheckout } from '../support/checkout-suite.ts';
import { effectsOf, expectCleanSlate, expectShipped, noticesOf } from '../support/expectations.ts';

const STEPS: readonly Place[] = [
  { provider: 'warehouse', operation: 'reserve' },
  { provider: 'payments', operation: 'capture' },
  { provider: 'warehouse', operation: 'ship' },
];
const UNDOS: readonly Place[] = [
  { provider: 'warehouse', operation: 'release' },
  { provider: 'payments', operation: 'refund' },
  { provider: 'payments', operation: 'lookup' },
];
const MODES: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];

const cells = (places: readonly Place[]) =>
  places.flatMap((place) => MODES.map((mode) => ({ place, mode, operation: place.operation })));

describeCheckout('a step that fails three times', (suite) => {
  test.each(cells(STEPS))('$operation, $mode: the order ships, charged once', async (cell) => {
    const { bench } = suite;
    bench.sandbox.faults.set(cell.place, { mode: cell.mode, times: 3 });
    const handle = await bench.start();
    expect((await handle.result()).status).toBe('shipped');
    // A lost answer of the provider is looked up instead of asked for again.
    expect(bench.sandbox.faults.list()[0]?.fired).toBeGreaterThan(0);
    await expectShipped(bench, orderIdOf(handle));
  });

  test.each(cells(UNDOS))('undo: $operation, $mode: undone exactly once', async (cell) => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'refuse' });
    bench.sandbox.faults.set(cell.place, { mode: cell.mode, times: 3 });
    const handle = await bench.start();
    expect((await handle.result()).status).toBe('cancelled');
    for (const fault of bench.sandbox.faults.list()) expect(fault.fired).toBeGreaterThan(0);
    const orderId = orderIdOf(handle);
    await expectCleanSlate(bench, orderId);
    expect(effectsOf(bench, orderId)).toMatchObject({ refund: 1, release: 1 });
  });

  test.each(MODES)('mail, %s: the order ships and the mails come later', async (mode) => {
    const { bench } = suite;
    const place = { provider: 'mail', operation: 'send' } as const;
    bench.sandbox.faults.set(place, { mode, times: 3 });
    const handle = await bench.start();
    expect((await handle.result()).status).toBe('shipped');
    expect(new Set(noticesOf(bench, orderIdOf(handle)))).toEqual(new Set(['confirmed', 'shipped']));
  });
});

describeCheckout('a provider that is away for long', (suite) => {
  test('shipping down for two weeks: the order waits and ships', async () => {
    const { bench, env } = suite;
    const place = { provider: 'warehouse', operation: 'ship' } as const;
    bench.sandbox.faults.set(place, { mode: 'down' });
    const handle = await bench.start();
    await env.sleep('14 days');
    expect((await handle.query(statusQuery)).status).toBe('paid');
    bench.sandbox.faults.clear();
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(bench, orderIdOf(handle));
  }, 240_000);

  test('reserving down past its deadline: nothing was taken, so the order is undone by itself', async () => {
    const { bench } = suite;
    const place = { provider: 'warehouse', operation: 'reserve' } as const;
    bench.sandbox.faults.set(place, { mode: 'down' });
    const handle = await bench.start();
    expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'deadline_passed' });
    await expectCleanSlate(bench, orderIdOf(handle));
  }, 120_000);

  test('mail down for good: the order ships, and that nobody was told is written down', async () => {
    const { bench } = suite;
    const place = { provider: 'mail', operation: 'send' } as const;
    bench.sandbox.faults.set(place, { mode: 'down' });
    const handle = await bench.start();
    expect((await handle.result()).status).toBe('shipped');
    const failed = await bench.db.event.findMany({
      where: { orderId: orderIdOf(handle), type: 'order.notification_failed' },
    });
    expect(failed.map((event) => event.data)).toEqual([
      expect.objectContaining({ notice: 'confirmed' }),
      expect.objectContaining({ notice: 'shipped' }),
    ]);
  }, 120_000);
});
