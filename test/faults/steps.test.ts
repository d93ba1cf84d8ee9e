import { expect } from 'vitest';
import type { Mode, Place } from '../../local/sandbox/faults.ts';
import { statusQuery } from '../../workflows/contract.ts';
import { orderIdOf, type CheckoutHandle } from '../support/bench.ts';
import { describeCheckout, type CheckoutSuite } from '../support/checkout-suite.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped, noticesOf } from '../support/expectations.ts';
import { cell, type Proof } from './cell.ts';
import type { Fault, Step } from './table.ts';

/** The steps of the checkout workflow and their undos, failing while the workflow runs. */
interface Struck {
  readonly row: Step;
  readonly place: Place;
}

const STEPS: readonly Struck[] = [
  { row: 'S5', place: { provider: 'warehouse', operation: 'reserve' } },
  { row: 'S6', place: { provider: 'payments', operation: 'capture' } },
  { row: 'S7', place: { provider: 'warehouse', operation: 'ship' } },
];
const UNDOS: readonly Struck[] = [
  { row: 'C1', place: { provider: 'warehouse', operation: 'release' } },
  { row: 'C2', place: { provider: 'payments', operation: 'refund' } },
  { row: 'C2', place: { provider: 'payments', operation: 'lookup' } },
  { row: 'C3', place: { provider: 'warehouse', operation: 'cancel' } },
];
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const SEND = { provider: 'mail', operation: 'send' } as const;
const MODES: readonly { readonly mode: Mode; readonly fault: Fault }[] = [
  { mode: 'fail_before', fault: 'F1' },
  { mode: 'down', fault: 'F1' },
  { mode: 'answer_lost', fault: 'F2' },
  { mode: 'hang', fault: 'F3' },
];

describeCheckout('a fault that strikes three times', (suite) => {
  for (const { row, place } of STEPS) {
    for (const { mode, fault } of MODES) {
      const title = `an order under ${mode} at ${place.operation} ships and is charged once`;
      cell(`${row}/${fault}`, title, async ({ firedAll }) => {
        const { bench } = suite;
        bench.sandbox.faults.set(place, { mode, times: 3 });
        const handle = await bench.start();
        expect((await handle.result()).status).toBe('shipped');
        firedAll(bench.sandbox.faults);
        await expectShipped(bench, orderIdOf(handle));
      });
    }
  }

  for (const { row, place } of UNDOS) {
    for (const { mode, fault } of MODES) {
      const title = `an order refused at ship is undone exactly once under ${mode} at ${place.operation}`;
      cell(`${row}/${fault}`, title, async ({ firedAll }) => {
        const { bench } = suite;
        bench.sandbox.faults.set(SHIP, { mode: 'refuse' });
        bench.sandbox.faults.set(place, { mode, times: 3 });
        const handle = await bench.start();
        expect((await handle.result()).status).toBe('cancelled');
        firedAll(bench.sandbox.faults);
        const orderId = orderIdOf(handle);
        await expectCleanSlate(bench, orderId);
        expect(effectsOf(bench, orderId)).toMatchObject({ refund: 1, release: 1 });
      });
    }
  }

  for (const { mode, fault } of MODES) {
    const title = `an order under ${mode} at mail ships, and the customer is notified`;
    cell(`S8/${fault}`, title, async ({ firedAll }) => {
      const { bench } = suite;
      bench.sandbox.faults.set(SEND, { mode, times: 3 });
      const handle = await bench.start();
      expect((await handle.result()).status).toBe('shipped');
      firedAll(bench.sandbox.faults);
      const told = noticesOf(bench, orderIdOf(handle));
      expect(told.toSorted()).toEqual(['confirmed', 'shipped']);
    });
  }
});

describeCheckout(
  'a long outage',
  (suite) => {
    for (const { row, place } of STEPS) {
      cell(
        `${row}/F6`,
        `an order waits through a six-hour outage of ${place.operation} and then ships`,
        async (proof) => {
          const handle = await throughOutage(suite, { place, proof, hours: 6 });
          expect((await handle.result()).status).toBe('shipped');
          await expectShipped(suite.bench, orderIdOf(handle));
        },
      );
    }

    for (const { row, place } of UNDOS) {
      const title = `an order is cancelled and undone once after a six-hour outage of ${place.operation}`;
      cell(`${row}/F6`, title, async (proof) => {
        suite.bench.sandbox.faults.set(SHIP, { mode: 'refuse' });
        const handle = await throughOutage(suite, { place, proof, hours: 6 });
        expect((await handle.result()).status).toBe('cancelled');
        await expectCleanSlate(suite.bench, orderIdOf(handle));
      });
    }

    cell(
      'S7/F6',
      'an order waits through a three-day outage of ship and then ships',
      async (proof) => {
        const place = SHIP;
        const handle = await throughOutage(suite, { place, proof, hours: 3 * 24 });
        expect((await handle.result()).status).toBe('shipped');
        await expectShipped(suite.bench, orderIdOf(handle));
      },
      240_000,
    );

    const undoneByItself =
      'an order is cancelled with deadline_passed when reserve stays unavailable';
    cell('S5/F6', undoneByItself, async ({ firedAll }) => {
      const { bench } = suite;
      bench.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
      const handle = await bench.start();
      expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'deadline_passed' });
      firedAll(bench.sandbox.faults);
      await expectCleanSlate(bench, orderIdOf(handle));
    });

    const writtenDown =
      'an order ships during a permanent mail outage and records both failed notifications';
    cell('S8/F6', writtenDown, async ({ firedAll }) => {
      const { bench } = suite;
      bench.sandbox.faults.set(SEND, { mode: 'down' });
      const handle = await bench.start();
      expect((await handle.result()).status).toBe('shipped');
      firedAll(bench.sandbox.faults);
      const failed = await bench.db.event.findMany({
        where: { orderId: orderIdOf(handle), type: 'order.notification_failed' },
      });
      expect(failed.map((event) => event.data)).toEqual([
        expect.objectContaining({ notice: 'confirmed' }),
        expect.objectContaining({ notice: 'shipped' }),
      ]);
    });
  },
  'cached',
);

/** Starts an order, keeps the provider away for hours, sees that the order rests nowhere meanwhile. */
async function throughOutage(
  { bench, env }: CheckoutSuite,
  outage: { readonly place: Place; readonly proof: Proof; readonly hours: number },
): Promise<CheckoutHandle> {
  bench.sandbox.faults.set(outage.place, { mode: 'down' });
  const handle = await bench.start();
  await env.sleep(outage.hours * 3_600_000);
  await eventually(async () => {
    const { status } = await handle.query(statusQuery);
    expect(['placed', 'reserved', 'paid', 'cancelling']).toContain(status);
  });
  outage.proof.firedAll(bench.sandbox.faults);
  bench.sandbox.faults.clear();
  return handle;
}
