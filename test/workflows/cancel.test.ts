import { randomUUID } from 'node:crypto';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { Place } from '../../local/sandbox/faults.ts';
import { listDeadLetters } from '../../prisma/dead-letters.ts';
import { recordCancelling, recordReserved } from '../../prisma/fulfilment.ts';
import {
  cancelUpdate,
  shipmentAnsweredSignal,
  statusQuery,
  type CancelAccepted,
} from '../../workflows/contract.ts';
import { orderIdOf, type Bench, type CheckoutHandle } from '../support/bench.ts';
import { describeInRealTime } from '../support/checkout-suite.ts';
import { eventually } from '../support/eventually.ts';
import {
  effectsOf,
  eventTypesOf,
  expectCleanSlate,
  expectShipped,
  noticesOf,
} from '../support/expectations.ts';
import { update } from '../support/updates.ts';

/** PENDING_ACTIVITY_STATE_STARTED of Temporal's API. */
const STARTED = 2;

/** Where the order stands while the step cannot get through, and what a cancel then undoes. */
const STEPS: readonly {
  readonly place: Place;
  readonly stands: string;
  readonly willUndo: readonly string[];
  readonly undone: Readonly<Record<string, number>>;
}[] = [
  {
    place: { provider: 'warehouse', operation: 'reserve' },
    stands: 'placed',
    willUndo: ['releaseStock', 'voidOrRefundPayment'],
    undone: { authorize: 1, void: 1 },
  },
  {
    place: { provider: 'payments', operation: 'capture' },
    stands: 'reserved',
    willUndo: ['voidOrRefundPayment', 'releaseStock'],
    undone: { authorize: 1, void: 1, reserve: 1, release: 1 },
  },
  {
    place: { provider: 'warehouse', operation: 'ship' },
    stands: 'paid',
    willUndo: ['cancelShipment', 'voidOrRefundPayment', 'releaseStock'],
    undone: { authorize: 1, capture: 1, refund: 1, reserve: 1, release: 1 },
  },
];

describeInRealTime('a cancel', (suite) => {
  test.each(STEPS)(
    'a cancel while $place.operation is retried returns the undo steps and ends with the order undone',
    async ({ place, stands, willUndo, undone }) => {
      const { bench } = suite;
      bench.sandbox.faults.set(place, { mode: 'fail_before' });
      const handle = await bench.start();
      await untilStruck(handle, stands);
      expect(await cancel(handle)).toEqual({ willUndo });
      expect(await handle.result()).toEqual({
        status: 'cancelled',
        reason: 'requested_by_customer',
      });
      const orderId = orderIdOf(handle);
      await expectCleanSlate(bench, orderId);
      expect(effectsOf(bench, orderId)).toEqual(undone);
      expect(noticesOf(bench, orderId).at(-1)).toBe('cancelled');
    },
  );

  test('a cancel after a capture whose response was lost refunds the capture', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set(
      { provider: 'payments', operation: 'capture' },
      { mode: 'answer_lost' },
    );
    bench.sandbox.faults.set(
      { provider: 'payments', operation: 'lookup' },
      { mode: 'fail_before' },
    );
    const handle = await bench.start();
    await untilStruck(handle, 'reserved');
    await cancel(handle);
    bench.sandbox.faults.clear();
    await handle.result();
    const orderId = orderIdOf(handle);
    await expectCleanSlate(bench, orderId);
    expect(effectsOf(bench, orderId)).toMatchObject({ capture: 1, refund: 1 });
  });

  test('a cancel after the parcel left is refused with the reason and the order ends shipped', async () => {
    const { bench } = suite;
    // The warehouse ships at once, but neither its answer nor a look-up gets through.
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'answer_lost' });
    const handle = await bench.start();
    await untilStruck(handle, 'paid');
    await eventually(() => expect(effectsOf(bench, orderIdOf(handle))['ship']).toBe(1));
    expect(await refusalOf(handle)).toMatchObject({
      type: 'not_cancellable',
      message: 'the parcel has left the warehouse',
    });
    bench.sandbox.faults.clear();
    await answer(handle);
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(bench, orderIdOf(handle));
  });

  test('a cancel is refused when a worker crashed after shipping the parcel, and the order ends shipped', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    const handle = await bench.start();
    await untilStruck(handle, 'placed');
    await shipUnheard(bench, orderIdOf(handle));
    expect(await refusalOf(handle)).toMatchObject({
      type: 'not_cancellable',
      message: 'the parcel has left the warehouse',
    });
    bench.sandbox.faults.clear();
    await answer(handle);
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(bench, orderIdOf(handle));
  });

  test('a workflow cancellation after a worker crashed while shipping ends the order shipped and charged', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    const handle = await bench.start();
    await untilStruck(handle, 'placed');
    const orderId = orderIdOf(handle);
    await shipUnheard(bench, orderId);
    await handle.cancel();
    expect((await handle.result()).status).toBe('shipped');
    expect(effectsOf(bench, orderId)).toEqual({ authorize: 1, capture: 1, ship: 1 });
  });

  test('a cancel recorded by a worker that then crashed undoes the order and opens no dead letter', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'down' });
    const handle = await bench.start();
    await untilStruck(handle, 'reserved');
    const orderId = orderIdOf(handle);
    const reason = 'requested_by_customer';
    await recordCancelling(bench.db, orderId, { reason, request: null });
    bench.sandbox.faults.clear();
    expect(await handle.result()).toEqual({ status: 'cancelled', reason });
    await expectCleanSlate(bench, orderId);
    const { letters } = await listDeadLetters(bench.db, { orderId }, { limit: 1 });
    expect(letters).toEqual([]);
  });

  test('a cancel while the confirmation mail fails undoes the order and sends only the cancelled mail', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'down' });
    bench.sandbox.faults.set({ provider: 'mail', operation: 'send' }, { mode: 'hang' });
    const handle = await bench.start();
    await untilTried(handle, 'notifyCustomer');
    await cancel(handle);
    // The next notice hangs as well, so the workflow is there when the first one has failed.
    await eventually(() => expect(firedAt(bench, 'send')).toBe(3));
    bench.sandbox.faults.clear();
    expect((await handle.result()).status).toBe('cancelled');
    const orderId = orderIdOf(handle);
    await expectCleanSlate(bench, orderId);
    expect(noticesOf(bench, orderId)).toEqual(['cancelled']);
    expect(await eventTypesOf(bench, orderId)).not.toContain('order.notification_failed');
  });

  test('a cancel while the reservation fails undoes the order with the reason of the customer', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'hang' });
    const handle = await bench.start();
    await untilTried(handle, 'reserveStock');
    await cancel(handle);
    const reason = 'requested_by_customer';
    expect(await handle.result()).toEqual({ status: 'cancelled', reason });
    await expectCleanSlate(bench, orderIdOf(handle));
  });

  test('a cancel of an order that is already cancelling is refused', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'release' }, { mode: 'down' });
    const handle = await bench.start();
    await untilStruck(handle, 'placed');
    await cancel(handle);
    expect(await refusalOf(handle)).toMatchObject({ type: 'not_cancellable' });
    bench.sandbox.faults.clear();
    await handle.result();
    await expectCleanSlate(bench, orderIdOf(handle));
  });

  test('a cancel sent twice under one update id returns the same result', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    const handle = await bench.start();
    await untilStruck(handle, 'placed');
    const pressedTwice = 'cancel/pressed-twice';
    const first = await cancel(handle, pressedTwice);
    expect(await cancel(handle, pressedTwice)).toEqual(first);
    bench.sandbox.faults.clear();
    await handle.result();
    await expectCleanSlate(bench, orderIdOf(handle));
  });

  test('a cancellation of the workflow itself undoes the order and closes the run as cancelled', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'payments', operation: 'capture' }, { mode: 'down' });
    const handle = await bench.start();
    await untilStruck(handle, 'reserved');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('Workflow execution cancelled');
    await expectCleanSlate(bench, orderIdOf(handle));
  });

  test('a cancellation of the workflow after the parcel left ends with the order shipped', async () => {
    const { bench } = suite;
    bench.sandbox.faults.set({ provider: 'warehouse', operation: 'ship' }, { mode: 'answer_lost' });
    const handle = await bench.start();
    await untilStruck(handle, 'paid');
    await eventually(() => expect(effectsOf(bench, orderIdOf(handle))['ship']).toBe(1));
    await handle.cancel();
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(bench, orderIdOf(handle));
  });
});

/** Asks the workflow to cancel, as the API does. */
function cancel(handle: CheckoutHandle, updateId: string = randomUUID()): Promise<CancelAccepted> {
  const arg = { reason: 'requested_by_customer' } as const;
  return update(handle, { definition: cancelUpdate, updateId, arg });
}

/** Waits until the order stands there and its step has failed once. */
async function untilStruck(handle: CheckoutHandle, status: string): Promise<void> {
  await eventually(async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    expect(pendingActivities?.map((each) => each.activityType?.name)).toHaveLength(1);
    expect(await handle.query(statusQuery)).toMatchObject({ status });
  });
}

function firedAt(bench: Bench, operation: string): number | undefined {
  return bench.sandbox.faults.list().find((each) => each.operation === operation)?.fired;
}

/** Waits until an attempt at the activity is under way at a worker. */
async function untilTried(handle: CheckoutHandle, activity: string): Promise<void> {
  await eventually(async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    const pending = pendingActivities?.find((each) => each.activityType?.name === activity);
    expect(pending?.state).toBe(STARTED);
  });
}

/** The warehouse's callback, as the API passes it on. */
function answer(handle: CheckoutHandle): Promise<void> {
  const correlationId = shipmentCorrelationId(orderIdOf(handle));
  const shipped = { kind: 'shipped', carrier: 'DHL', trackingNumber: 'T1' } as const;
  return handle.signal(shipmentAnsweredSignal, { correlationId, answer: shipped });
}

async function refusalOf(handle: CheckoutHandle): Promise<unknown> {
  try {
    return await cancel(handle);
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    expect(error.cause).toBeInstanceOf(ApplicationFailure);
    return error.cause;
  }
}

/** What a worker does within one workflow task, of which Temporal hears nothing when it dies. */
async function shipUnheard(bench: Bench, orderId: OrderId): Promise<void> {
  const { db, gateways } = bench;
  const warehouseCallbackUrl = 'http://127.0.0.1:9/callbacks/warehouse';
  const activities = createActivities({ db, ...gateways, warehouseCallbackUrl });
  const worker = new MockActivityEnvironment();
  await recordReserved(db, orderId);
  await worker.run(activities.capturePayment, { orderId });
  await worker.run(activities.requestShipment, { orderId });
  const shipped = { kind: 'shipped' };
  const correlationId = shipmentCorrelationId(orderId);
  await eventually(async () =>
    expect(await gateways.warehouse.lookUpShipment({ correlationId })).toMatchObject(shipped),
  );
}
