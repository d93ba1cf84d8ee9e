/** What an operator can do with the Web UI or the CLI: signals, updates and starts of any form. */
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, RawValue } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { checkoutWorkflowId, isOrderId, refundWorkflowId, type OrderId } from '../../domain/ids.ts';
import { expireOrder } from '../../services/expire-order.ts';
import { newId } from '../../prisma/client/ids.ts';
import type { CheckoutStart } from '../../prisma/orders/orders.ts';
import { openOrder } from '../../prisma/orders/place-order.ts';
import { cancelUpdate, resolveUpdate, TASK_QUEUE } from '../../workflows/checkout/contract.ts';
import { claimOf, draftOf } from '../prisma/seeded-database.ts';
import { DECLINED_CARD } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, expectCleanSlate, expectShipped } from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { answerShipment, PARCEL, update } from '../support/updates.ts';
import { useRunningShop } from '../support/use-shop.ts';

const SHIP = { provider: 'warehouse', operation: 'ship' } as const;

const shop = useRunningShop();

/** No input, and inputs of other shapes. */
const SHAPES: readonly (readonly unknown[])[] = [
  [],
  [null],
  [7],
  ['text'],
  [[]],
  [{}],
  [{ step: 'shipOrder', decision: 'retry', note: 'n' }],
  [{ step: 'shipOrder', decision: 'retry', note: 'n', actor: '' }],
  [{ step: 'shipOrder', decision: 'retry', note: 'a\u0000b', actor: 'Ada' }],
  [{ step: 'shipOrder', decision: 'steal', note: 'n', actor: 'Ada' }],
  [{ reason: 'requested_by_operator' }],
  [{ reason: 'because' }],
  [{ correlationId: 7, answer: PARCEL }],
  [{ correlationId: 'x', answer: null }],
  [{ correlationId: 'x', answer: { kind: 'shipped', carrier: 'Post', trackingNumber: '\ud800' } }],
  [undecodable('json/plain')],
  [undecodable('json/protobuf')],
  [undecodable('no/encoding')],
];

/** What no workflow can decode: no JSON, or an encoding that it does not know. */
function undecodable(encoding: string): RawValue {
  const data = new TextEncoder().encode('{"actor": ');
  return RawValue.fromPayload({ metadata: { encoding: new TextEncoder().encode(encoding) }, data });
}

test('signals of any shape, also such that cannot be decoded, change nothing, and the order ships with the real answer', async () => {
  const handle = await shop.start();
  for (const name of ['shipmentAnswered', 'retryRefund', 'unknown']) {
    for (const args of SHAPES) await handle.signal(name, ...args);
  }
  await answerShipment(handle);
  expect((await handle.result()).status).toBe('shipped');
  await expectShipped(shop, orderIdOf(handle));
});

test('updates of any shape or without a name are refused in words and move no money', async () => {
  shop.sandbox.faults.set(SHIP, { mode: 'fail_before' });
  const handle = await shop.start();
  const before = await until(handle, 'paid');
  for (const definition of [cancelUpdate.name, resolveUpdate.name]) {
    for (const args of SHAPES) {
      expect(await refusalOf(sendUpdate(handle, definition, args)), JSON.stringify(args)).toMatch(
        /^input|waiting for: nothing/,
      );
    }
  }
  expect(effectsOf(shop, orderIdOf(handle))).toEqual(before);
  await cancel(handle);
  expect((await handle.result()).status).toBe('cancelled');
  const { data } = await shop.db.event.findFirstOrThrow({
    where: { orderId: orderIdOf(handle), type: 'order.cancelling' },
  });
  expect(data).toMatchObject({ actor: 'Ada' });
  await expectCleanSlate(shop, orderIdOf(handle));
});

test('an update that cannot be decoded is refused by what to send', async () => {
  const handle = await shop.start();
  const refusal = await refusalOf(sendUpdate(handle, 'resolve', [undecodable('json/protobuf')]));
  expect(refusal).toBe(
    'input cannot be decoded: send JSON with the encoding json/plain, an object with step, decision, note, actor',
  );
  await answerShipment(handle);
  await handle.result();
});

describe('a workflow started with an input of another shape', () => {
  const INPUTS: readonly (readonly unknown[])[] = [...SHAPES, [{ orderId: newId('order') }]];

  test.each(['checkout', 'refund', 'delivery', 'resendNotification', 'subscription', 'reconcile'])(
    'the workflow %s ends with a refusal in words',
    async (workflowType) => {
      for (const args of INPUTS) {
        const handle = await shop.temporal.client.workflow.start(workflowType, {
          workflowId: `by-hand/${randomUUID()}`,
          taskQueue: TASK_QUEUE,
          args: [...args],
        });
        expect(await failureOf(handle.result()), JSON.stringify(args)).toMatchObject({
          type: 'invalid_input',
          message: expect.stringMatching(/^input/),
        });
      }
    },
  );
});

describe('a checkout started manually', () => {
  test('a checkout of an order that was never placed changes nothing', async () => {
    const opened = await openOrder(shop.db, claimOf(), draftOf());
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    const { order } = opened;
    expect(await startByHand(order.id)).toMatchObject({ type: 'not_eligible' });
    await expireOrder(shop.services, order);
    expect(await startByHand(order.id)).toMatchObject({ type: 'not_eligible' });
    expect(effectsOf(shop, order.id)).toEqual({});
    const declined = await shop.place({ payment_method: DECLINED_CARD });
    expect(declined.status).toBe(402);
    const { id } = await shop.db.order.findFirstOrThrow({ where: { status: 'declined' } });
    if (!isOrderId(id)) throw new Error(id);
    const before = await snapshot(id);
    expect(await startByHand(id)).toMatchObject({ type: 'not_eligible' });
    expect(await snapshot(id)).toEqual(before);
    expect(await startByHand(newId('order'))).toMatchObject({ type: 'order_not_found' });
  });

  test('a checkout of a finished order changes nothing', async () => {
    const shipped = await shop.start();
    await answerShipment(shipped);
    await shipped.result();
    shop.sandbox.faults.set(SHIP, { mode: 'fail_before' });
    const cancelled = await shop.start();
    await until(cancelled, 'paid');
    await cancel(cancelled);
    await cancelled.result();
    shop.sandbox.faults.clear();
    for (const orderId of [orderIdOf(shipped), orderIdOf(cancelled)]) {
      const before = await snapshot(orderId);
      const started = startByHand(orderId);
      await eventually(() => answerShipment(shop.checkoutOf(orderId)));
      await started;
      expect(await snapshot(orderId)).toEqual(before);
    }
  });

  test('a checkout that claims a stage, a decision or a shipment that the records lack changes nothing', async () => {
    await shop.stopWorker('checkouts');
    const start = await shop.order();
    const { orderId } = start;
    await shop.checkoutOf(orderId).terminate('terminated by a test');
    await shop.startWorker('checkouts');
    const before = await snapshot(orderId);
    const resume = { from: 'placed', cancelReason: null, resolution: null, shippedManually: false };
    const decided = { step: 'capturePayment', decision: 'skip', note: 'n', actor: 'Ada' };
    for (const claim of [
      { from: 'reserved' },
      { from: 'paid' },
      { from: 'cancelling', cancelReason: 'requested_by_operator' },
      { cancelReason: 'requested_by_operator' },
      { shippedManually: true },
      { resolution: decided },
    ]) {
      const failure = await startByHand(orderId, { ...resume, ...claim });
      expect(failure, JSON.stringify(claim)).toMatchObject({ type: 'not_eligible' });
    }
    expect(await snapshot(orderId)).toEqual(before);
    await startAndShip(start);
  });

  test('a checkout under an id that is not of its order changes nothing', async () => {
    const { orderId } = await shop.order();
    const handle = await shop.temporal.client.workflow.start('checkout', {
      workflowId: `second/${orderId}`,
      taskQueue: TASK_QUEUE,
      args: [{ orderId, totalMinor: 1, currency: 'EUR' }],
    });
    const { message } = await failureOf(handle.result());
    expect(message).toContain(checkoutWorkflowId(orderId));
    await answerShipment(shop.checkoutOf(orderId));
    await shop.checkoutOf(orderId).result();
  });

  test('an order whose run was ended manually is started again and ships', async () => {
    const start = await shop.order();
    await shop.checkoutOf(start.orderId).terminate('terminated by a test');
    expect(await startAndShip(start)).toBe('shipped');
  });
});

test('a refund started manually for another order refunds nothing', async () => {
  const refundId = newId('refund');
  const handle = await shop.temporal.client.workflow.start('refund', {
    workflowId: refundWorkflowId(refundId),
    taskQueue: TASK_QUEUE,
    args: [{ refundId, orderId: newId('order'), amountMinor: 1, currency: 'EUR' }],
  });
  expect((await failureOf(handle.result())).type).toBe('refund_not_found');
});

/** As the API starts it. */
async function startAndShip(start: CheckoutStart): Promise<string> {
  expect((await shop.services.checkouts.start(start)).kind).toBe('started');
  const handle = shop.checkoutOf(start.orderId);
  await answerShipment(handle);
  const { status } = await handle.result();
  await expectShipped(shop, start.orderId);
  return status;
}

/** Starts the order's checkout as the Web UI would, and gives its failure. */
async function startByHand(orderId: OrderId, resume?: object): Promise<ApplicationFailure | null> {
  const handle = await shop.temporal.client.workflow.start('checkout', {
    workflowId: checkoutWorkflowId(orderId),
    taskQueue: TASK_QUEUE,
    args: [{ orderId, totalMinor: 1_200, currency: 'EUR', ...(resume && { resume }) }],
  });
  try {
    await handle.result();
    return null;
  } catch (error) {
    return applicationFailureIn(error);
  }
}

/** A server may drop an update that comes during a task: the order says whether it was accepted. */
async function cancel(handle: CheckoutHandle): Promise<void> {
  const arg = { reason: 'requested_by_operator', actor: 'Ada' } as const;
  const where = { id: orderIdOf(handle) };
  await eventually(async () => {
    await update(handle, { definition: cancelUpdate, arg }).catch(() => undefined);
    expect((await shop.db.order.findUniqueOrThrow({ where })).status).toMatch(/^cancell/);
  });
}

async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  try {
    await result;
  } catch (error) {
    return applicationFailureIn(error);
  }
  throw new Error('it was not refused');
}

/** Without arguments, or with one. */
function sendUpdate(
  handle: CheckoutHandle,
  name: string,
  args: readonly unknown[],
): Promise<unknown> {
  const updateId = randomUUID();
  if (args.length === 0) return handle.executeUpdate(name, { updateId });
  return handle.executeUpdate<unknown, [unknown]>(name, { updateId, args: [args[0]] });
}

async function refusalOf(sent: Promise<unknown>): Promise<string> {
  return (await failureOf(sent)).message;
}

/** The failure itself; for one of an activity, its cause. */
function applicationFailureIn(error: unknown): ApplicationFailure {
  const isWrapper =
    error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError;
  let cause: unknown = isWrapper ? error.cause : error;
  while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
  if (cause instanceof ApplicationFailure) return cause;
  throw error;
}

/** All that a checkout could change. */
async function snapshot(orderId: OrderId) {
  const where = { orderId };
  const [order, payment, reservations, events, deadLetters] = await Promise.all([
    shop.db.order.findUniqueOrThrow({ where: { id: orderId } }),
    shop.db.payment.findUnique({ where }),
    shop.db.reservation.findMany({ where, orderBy: { sku: 'asc' } }),
    shop.db.event.count({ where }),
    shop.db.deadLetter.count({ where }),
  ]);
  return { order, payment, reservations, events, deadLetters, effects: effectsOf(shop, orderId) };
}

/** Waits for the order's status; gives the effects by then. */
async function until(handle: CheckoutHandle, status: string) {
  const id = orderIdOf(handle);
  await eventually(async () =>
    expect((await shop.db.order.findUniqueOrThrow({ where: { id } })).status).toBe(status),
  );
  return effectsOf(shop, id);
}
