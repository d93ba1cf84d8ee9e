import { expect, test } from 'vitest';
import type { ShipmentAnswer } from '../../activities/contract.ts';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import { shipmentAnsweredSignal, statusQuery } from '../../workflows/contract.ts';
import { cell } from '../faults/cell.ts';
import { orderIdOf, type CheckoutHandle } from '../support/bench.ts';
import { describeCheckout } from '../support/checkout-suite.ts';
import { eventually } from '../support/eventually.ts';
import {
  effectsOf,
  eventTypesOf,
  expectCleanSlate,
  expectShipped,
} from '../support/expectations.ts';

const PARCEL = { kind: 'shipped', carrier: 'Test Parcel', trackingNumber: 'TP1' } as const;
const LOOK_UP = { provider: 'warehouse', operation: 'lookup' } as const;
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;
const MAIL = { provider: 'mail', operation: 'send' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;

describeCheckout('a shipment signal', (suite) => {
  test('a shipment signal ships the order while look-ups fail', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    const handle = await bench.start();
    await untilRequested(handle);
    await answer(handle);
    expect((await handle.result()).status).toBe('shipped');
    expect(await trackingOf(handle)).toBe('TP1');
    await expectShipped(bench, orderIdOf(handle));
  });

  test('a shipment signal that arrives before the ship request returns is applied', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set(SHIP, { mode: 'answer_lost', times: 2 });
    const handle = await bench.start();
    await answer(handle);
    expect((await handle.result()).status).toBe('shipped');
    expect(await trackingOf(handle)).toBe('TP1');
    await expectShipped(bench, orderIdOf(handle));
  });

  test('the first of two shipment signals is applied and the order ships once', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    // Keeps the order open until the second answer is there.
    bench.sandbox.faults.set(MAIL, { mode: 'down' });
    const handle = await bench.start();
    await untilRequested(handle);
    await answer(handle);
    await answer(handle, { ...PARCEL, trackingNumber: 'TP2' });
    bench.sandbox.faults.clear();
    await handle.result();
    expect(await trackingOf(handle)).toBe('TP1');
    const types = await eventTypesOf(bench, orderIdOf(handle));
    expect(types.filter((type) => type === 'order.shipped')).toHaveLength(1);
  });

  test('a shipment signal with a foreign correlation id is ignored', async () => {
    const { bench } = suite;
    const handle = await bench.start();
    await handle.signal(shipmentAnsweredSignal, { correlationId: 'foreign', answer: PARCEL });
    await handle.result();
    expect(await trackingOf(handle)).not.toBe('TP1');
  });

  test('an order that gets no shipment signal ships after a look-up', async () => {
    const { bench } = suite;
    const handle = await bench.start();
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(bench, orderIdOf(handle));
  });

  const asked =
    'an order without a shipment signal stays paid while look-ups fail and ships once one succeeds';
  cell('CB/F6', asked, async (proof) => {
    const { bench, env } = suite;
    bench.sandbox.faults.set(LOOK_UP, { mode: 'fail_before' });
    const handle = await bench.start();
    await env.sleep('3 hours');
    expect((await handle.query(statusQuery)).status).toBe('paid');
    proof.firedAll(bench.sandbox.faults);
    bench.sandbox.faults.clear();
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(bench, orderIdOf(handle));
  });

  test('a signal that refuses the shipment cancels the order and undoes every effect', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    bench.sandbox.faults.set(CALLBACK, { mode: 'refuse' });
    const handle = await bench.start();
    await untilRequested(handle);
    await answer(handle, { kind: 'refused', reason: 'damaged' });
    expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'shipping_refused' });
    await expectCleanSlate(bench, orderIdOf(handle));
  });

  test('a shipment signal to a settled order is rejected and changes nothing', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set(SHIP, { mode: 'refuse' });
    const handle = await bench.start();
    await handle.result();
    await expect(answer(handle)).rejects.toThrow();
    await expectCleanSlate(bench, orderIdOf(handle));
    expect(effectsOf(bench, orderIdOf(handle))['ship']).toBeUndefined();
  });

  async function trackingOf(handle: CheckoutHandle): Promise<string | null | undefined> {
    const where = { orderId: orderIdOf(handle) };
    return (await suite.bench.db.shipment.findUnique({ where }))?.trackingNumber;
  }

  /** Waits, without letting time pass, until the warehouse has the request. */
  async function untilRequested(handle: CheckoutHandle): Promise<void> {
    await eventually(async () => {
      const types = await eventTypesOf(suite.bench, orderIdOf(handle));
      expect(types).toContain('order.shipment_requested');
    });
    // Answered between two workflow tasks only: a signal within one may be lost on this server.
    await handle.query(statusQuery);
  }
});

function answer(handle: CheckoutHandle, given: ShipmentAnswer = PARCEL): Promise<void> {
  const correlationId = shipmentCorrelationId(orderIdOf(handle));
  return handle.signal(shipmentAnsweredSignal, { correlationId, answer: given });
}
