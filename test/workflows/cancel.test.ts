import { randomUUID } from 'node:crypto';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createActivities } from '../../activities/index.ts';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import type { Mode } from '../../local/sandbox/faults.ts';
import { listDeadLetters } from '../../prisma/events/dead-letters.ts';
import {
  recordCancelling,
  recordReserved,
  recordShipped,
} from '../../prisma/orders/record-steps.ts';
import { cancelUpdate, type CancelAccepted } from '../../workflows/checkout/contract.ts';
import { CAPTURE, SHIP } from '../support/compensations.ts';
import { eventually } from '../support/eventually.ts';
import {
  effectsOf,
  eventTypesOf,
  expectCleanSlate,
  expectShipped,
  notificationsOf,
  viewOf,
} from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { answerShipment, update } from '../support/updates.ts';
import { useRunningShop } from '../support/use-shop.ts';

/** PENDING_ACTIVITY_STATE_STARTED of Temporal's API. */
const STARTED = 2;

const RESERVE = { provider: 'warehouse', operation: 'reserve' } as const;

/** The status of an order while the step fails. */
const STATUS_BEFORE = { reserve: 'placed', capture: 'reserved', ship: 'paid' } as const;
type FailingPlace = typeof RESERVE | typeof CAPTURE | typeof SHIP;

/** What a cancel has to compensate, and the effects after that. */
const STEPS: readonly {
  readonly place: FailingPlace;
  readonly pendingCompensations: readonly string[];
  readonly effects: Readonly<Record<string, number>>;
}[] = [
  {
    place: RESERVE,
    pendingCompensations: ['releaseStock', 'voidOrRefundPayment'],
    effects: { authorize: 1, void: 1 },
  },
  {
    place: CAPTURE,
    pendingCompensations: ['voidOrRefundPayment', 'releaseStock'],
    effects: { authorize: 1, void: 1, reserve: 1, release: 1 },
  },
  {
    place: SHIP,
    pendingCompensations: ['cancelShipment', 'voidOrRefundPayment', 'releaseStock'],
    effects: { authorize: 1, capture: 1, refund: 1, reserve: 1, release: 1 },
  },
];

// In real time: a call that hangs takes as long as its deadline.
const shop = useRunningShop({ deadlines: { callMs: 1_000, authorizeMs: 5_000 } });

describe('a cancel', () => {
  test.each(STEPS)(
    'a cancel while $place.operation is retried returns the pending compensations and ends with the order compensated',
    async ({ place, pendingCompensations, effects }) => {
      const handle = await startUnder(place, 'fail_before');
      expect(await accepted(handle)).toEqual(pendingCompensations);
      expect(await handle.result()).toEqual({
        status: 'cancelled',
        reason: 'requested_by_customer',
      });
      const orderId = orderIdOf(handle);
      await expectCleanSlate(shop, orderId);
      expect(effectsOf(shop, orderId)).toEqual(effects);
      expect(notificationsOf(shop, orderId).at(-1)).toBe('cancelled');
    },
  );

  test('a cancel after a capture whose response was lost refunds the capture', async () => {
    shop.sandbox.faults.set({ provider: 'payments', operation: 'lookup' }, { mode: 'fail_before' });
    const handle = await startUnder(CAPTURE, 'answer_lost');
    await accepted(handle);
    shop.sandbox.faults.clear();
    await handle.result();
    const orderId = orderIdOf(handle);
    await expectCleanSlate(shop, orderId);
    expect(effectsOf(shop, orderId)).toMatchObject({ capture: 1, refund: 1 });
  });

  test('a cancel after the parcel left is refused with the reason and the order ends shipped', async () => {
    // The warehouse ships at once, but neither its response nor a look-up gets through.
    const handle = await startUnder(SHIP, 'answer_lost');
    await eventually(() => expect(effectsOf(shop, orderIdOf(handle))['ship']).toBe(1));
    expect((await endAfterRefusal(handle)).status).toBe('shipped');
  });

  test('a cancel is refused when a worker crashed after shipping the parcel, and the order ends shipped', async () => {
    const { handle } = await startAndShipBeforeCrash();
    expect((await endAfterRefusal(handle)).status).toBe('shipped');
  });

  test('a workflow cancellation after a worker crashed while shipping ends the order shipped and charged', async () => {
    const { handle, orderId } = await startAndShipBeforeCrash();
    await handle.cancel();
    expect((await handle.result()).status).toBe('shipped');
    expect(effectsOf(shop, orderId)).toEqual({ authorize: 1, capture: 1, ship: 1 });
  });

  test('a workflow cancellation after a worker crashed while recording the shipment ends the order shipped', async () => {
    const { handle, orderId } = await startAndShipBeforeCrash();
    await recordShipped(shop.db, orderId, { carrier: 'Test Parcel', trackingNumber: 'TP1' });
    await handle.cancel();
    expect((await handle.result()).status).toBe('shipped');
    expect(effectsOf(shop, orderId)).toEqual({ authorize: 1, capture: 1, ship: 1 });
    expect(notificationsOf(shop, orderId)).toEqual(['shipped']);
  });

  test('a cancel recorded by a worker that then crashed compensates the order and opens no dead letter', async () => {
    const handle = await startUnder(CAPTURE, 'down');
    const orderId = orderIdOf(handle);
    const reason = 'requested_by_customer';
    await recordCancelling(shop.db, orderId, { reason, request: null });
    shop.sandbox.faults.clear();
    expect(await handle.result()).toEqual({ status: 'cancelled', reason });
    await expectCleanSlate(shop, orderId);
    const { deadLetters } = await listDeadLetters(shop.db, { orderId }, { limit: 1 });
    expect(deadLetters).toEqual([]);
  });

  test('a cancel while the confirmation e-mail fails compensates the order and sends only the cancelled e-mail', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'down' });
    shop.sandbox.faults.set({ provider: 'mail', operation: 'send' }, { mode: 'hang' });
    const handle = await shop.start();
    await untilStarted(handle, 'notifyCustomer');
    await accepted(handle);
    // The next notification hangs as well, so the workflow still runs when the first one has failed.
    await eventually(() => expect(firedAt('send')).toBeGreaterThanOrEqual(3));
    shop.sandbox.faults.clear();
    expect((await handle.result()).status).toBe('cancelled');
    const orderId = orderIdOf(handle);
    await expectCleanSlate(shop, orderId);
    expect(notificationsOf(shop, orderId)).toEqual(['cancelled']);
    expect(await eventTypesOf(shop, orderId)).not.toContain('order.notification_failed');
  });

  test('a cancel while the reservation fails compensates the order with the reason of the customer', async () => {
    shop.sandbox.faults.set(RESERVE, { mode: 'hang' });
    const handle = await shop.start();
    await untilStarted(handle, 'reserveStock');
    await accepted(handle);
    const reason = 'requested_by_customer';
    expect(await handle.result()).toEqual({ status: 'cancelled', reason });
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a cancel of an order that is already cancelling is refused', async () => {
    shop.sandbox.faults.set({ provider: 'warehouse', operation: 'release' }, { mode: 'down' });
    const handle = await startUnder(RESERVE, 'down');
    await accepted(handle);
    expect(await refusalOf(handle)).toMatchObject({
      type: 'not_cancellable',
      details: ['already_cancelling'],
    });
    shop.sandbox.faults.clear();
    await handle.result();
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a cancel sent twice under one update id returns the same result', async () => {
    const handle = await startUnder(RESERVE, 'down');
    const updateId = 'cancel/sent-twice';
    const first = await cancel(handle, updateId);
    expect(await cancel(handle, updateId)).toEqual(first);
    shop.sandbox.faults.clear();
    await handle.result();
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a cancellation of the workflow itself compensates the order and closes the run as cancelled', async () => {
    const handle = await startUnder(CAPTURE, 'down');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('Workflow execution cancelled');
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a cancellation of the workflow after the parcel left ends with the order shipped', async () => {
    const handle = await startUnder(SHIP, 'answer_lost');
    await eventually(() => expect(effectsOf(shop, orderIdOf(handle))['ship']).toBe(1));
    await handle.cancel();
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });
});

/**
 * Cancels over the API until it accepts, and returns the pending compensations. When a server dropped
 * the update of a workflow that has ended since, the API responds from the database.
 */
async function accepted(handle: CheckoutHandle): Promise<readonly string[]> {
  const [path, key] = [`/v1/orders/${orderIdOf(handle)}/cancel`, randomUUID()];
  const response = await eventually(async () => {
    const cancelled = await shop.request('POST', path, { key });
    expect(cancelled.status, await cancelled.clone().text()).toBe(202);
    return cancelled;
  });
  return z.object({ pending_compensations: z.array(z.string()) }).parse(await response.json())
    .pending_compensations;
}

/** Asks the workflow itself, by an update. */
function cancel(handle: CheckoutHandle, updateId: string = randomUUID()): Promise<CancelAccepted> {
  const arg = { reason: 'requested_by_customer', actor: 'op' } as const;
  return update(handle, { definition: cancelUpdate, updateId, arg });
}

/** Starts an order under the fault, and waits until the step there has failed once. */
async function startUnder(place: FailingPlace, mode: Mode): Promise<CheckoutHandle> {
  shop.sandbox.faults.set(place, { mode });
  const handle = await shop.start();
  const status = STATUS_BEFORE[place.operation];
  await eventually(async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    expect(pendingActivities?.map((each) => each.activityType?.name)).toHaveLength(1);
    expect(await viewOf(handle)).toMatchObject({ status });
  });
  return handle;
}

function firedAt(operation: string): number | undefined {
  return shop.sandbox.faults.list().find((each) => each.operation === operation)?.fired;
}

/** Waits until a worker runs an attempt at the activity. */
async function untilStarted(handle: CheckoutHandle, activity: string): Promise<void> {
  await eventually(async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    const pending = pendingActivities?.find((each) => each.activityType?.name === activity);
    expect(pending?.state).toBe(STARTED);
  });
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

/** A cancel is refused because the parcel has left; the faults end, and the order ships. */
/** How the order ends whose cancel was refused. */
async function endAfterRefusal(handle: CheckoutHandle) {
  expect(await refusalOf(handle)).toMatchObject({
    type: 'not_cancellable',
    message: 'the parcel has left the warehouse',
    details: ['parcel_left'],
  });
  shop.sandbox.faults.clear();
  await answerShipment(handle);
  const end = await handle.result();
  await expectShipped(shop, orderIdOf(handle));
  return end;
}

/** The reservation is down for the workflow, while a worker that then crashes ships the order. */
async function startAndShipBeforeCrash() {
  const handle = await startUnder(RESERVE, 'down');
  const orderId = orderIdOf(handle);
  await shipBeforeCrash(orderId);
  return { handle, orderId };
}

/** The steps of one workflow task whose worker crashes before it reports to Temporal. */
async function shipBeforeCrash(orderId: OrderId): Promise<void> {
  const { db, gateways } = shop;
  const warehouseCallbackUrl = 'http://127.0.0.1:9/callbacks/warehouse';
  const activities = createActivities({ db, ...gateways, warehouseCallbackUrl });
  const worker = new MockActivityEnvironment();
  await recordReserved(db, orderId);
  // Retried on a busy machine: the deadlines are short here.
  await eventually(() => worker.run(activities.capturePayment, { orderId }));
  await eventually(() => worker.run(activities.requestShipment, { orderId }));
  const shipped = { kind: 'shipped' };
  const correlationId = shipmentCorrelationId(orderId);
  await eventually(async () =>
    expect(await gateways.warehouse.lookUpShipment({ correlationId })).toMatchObject(shipped),
  );
}
