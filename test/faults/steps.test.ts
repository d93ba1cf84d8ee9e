import { describe, expect } from 'vitest';
import type { OrderId } from '../../domain/ids.ts';
import type { Mode, Place } from '../../local/sandbox/faults.ts';
import { listDeadLetters, type DeadLetter } from '../../prisma/events/dead-letters.ts';
import { redrive } from '../../services/redrive.ts';
import { statusQuery } from '../../workflows/checkout/contract.ts';
import { eventually } from '../support/eventually.ts';
import {
  effectsOf,
  expectCleanSlate,
  expectShipped,
  notificationsOf,
  textsOf,
} from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';
import { test, type Proof } from './matrix-case.ts';
import type { Fault, Step } from './table.ts';

/** The steps of the checkout workflow and their compensations, failing while the workflow runs. */
interface FaultedStep {
  readonly row: Step;
  readonly place: Place;
}

const STEPS: readonly FaultedStep[] = [
  { row: 'S5', place: { provider: 'warehouse', operation: 'reserve' } },
  { row: 'S6', place: { provider: 'payments', operation: 'capture' } },
  { row: 'S7', place: { provider: 'warehouse', operation: 'ship' } },
];
const COMPENSATIONS: readonly FaultedStep[] = [
  { row: 'C1', place: { provider: 'warehouse', operation: 'release' } },
  { row: 'C2', place: { provider: 'payments', operation: 'refund' } },
  { row: 'C2', place: { provider: 'payments', operation: 'lookup' } },
  { row: 'C3', place: { provider: 'warehouse', operation: 'cancel' } },
];
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
const SEND = { provider: 'mail', operation: 'send' } as const;
const SMS = { provider: 'sms', operation: 'send' } as const;
const MODES: readonly { readonly mode: Mode; readonly fault: Fault }[] = [
  { mode: 'fail_before', fault: 'F1' },
  { mode: 'down', fault: 'F1' },
  { mode: 'answer_lost', fault: 'F2' },
  { mode: 'hang', fault: 'F3' },
];

/**
 * Of every second order all steps are ordinary activities, so that each step and each fault is tried with
 * both kinds: one whose first attempt is local, and one whose attempts all show in the Web UI.
 */
const isInspectable = (at: number, mode: number): boolean => (at + mode) % 2 === 1;

/** Each hang costs as much. The shopper's call is not affected here, and has all the time it needs. */
const DEADLINES = { callMs: 500, authorizeMs: 5_000 } as const;

const shop = useSkippingShop({ deadlines: DEADLINES });

describe('a fault that strikes three times', () => {
  for (const [at, { row, place }] of STEPS.entries()) {
    for (const [nth, { mode, fault }] of MODES.entries()) {
      test(`[${row}/${fault}] an order under ${mode} at ${place.operation} ships and is charged once`, async (proof) => {
        shop.sandbox.faults.set(place, { mode, times: 3 });
        const handle = await shop.start({ inspectable: isInspectable(at, nth) });
        expect((await handle.result()).status).toBe('shipped');
        proof.firedAll(shop.sandbox.faults);
        await expectShipped(shop, orderIdOf(handle));
      });
    }
  }

  for (const [at, { row, place }] of COMPENSATIONS.entries()) {
    for (const [nth, { mode, fault }] of MODES.entries()) {
      test(`[${row}/${fault}] an order refused at ship is compensated exactly once under ${mode} at ${place.operation}`, async (proof) => {
        shop.sandbox.faults.set(SHIP, { mode: 'refuse' });
        shop.sandbox.faults.set(place, { mode, times: 3 });
        const handle = await shop.start({ inspectable: isInspectable(at, nth) });
        expect((await handle.result()).status).toBe('cancelled');
        proof.firedAll(shop.sandbox.faults);
        const orderId = orderIdOf(handle);
        await expectCleanSlate(shop, orderId);
        expect(effectsOf(shop, orderId)).toMatchObject({ refund: 1, release: 1 });
      });
    }
  }

  for (const [nth, { mode, fault }] of MODES.entries()) {
    test(`[S8/${fault}] an order under ${mode} at mail ships, and the customer is notified`, async (proof) => {
      // A mail that may have arrived is sent again twice at most.
      shop.sandbox.faults.set(SEND, { mode, times: mode === 'answer_lost' ? 2 : 3 });
      const handle = await shop.start({ inspectable: isInspectable(0, nth) });
      expect((await handle.result()).status).toBe('shipped');
      proof.firedAll(shop.sandbox.faults);
      const notified = notificationsOf(shop, orderIdOf(handle));
      expect(notified.toSorted()).toEqual(['confirmed', 'shipped']);
    });

    test(`[S9/${fault}] an order under ${mode} at SMS ships, and the customer gets one text message`, async (proof) => {
      shop.sandbox.faults.set(SMS, { mode, times: 3 });
      const handle = await shop.start({ sms: true });
      expect((await handle.result()).status).toBe('shipped');
      proof.firedAll(shop.sandbox.faults);
      expect(textsOf(shop, orderIdOf(handle))).toHaveLength(1);
    });
  }

  test('[S9/F1] an order ships while SMS is refused or slow, and what is refused is a dead letter', async (proof) => {
    shop.sandbox.faults.set(SMS, { mode: 'latency', latency_ms: 100, times: 1 });
    const slow = await shop.start({ sms: true });
    expect((await slow.result()).status).toBe('shipped');
    proof.firedAll(shop.sandbox.faults);
    expect(textsOf(shop, orderIdOf(slow))).toHaveLength(1);
    shop.sandbox.faults.set(SMS, { mode: 'refuse' });
    const refused = await shop.start({ sms: true });
    expect((await refused.result()).status).toBe('shipped');
    proof.firedAll(shop.sandbox.faults);
    const orderId = orderIdOf(refused);
    await expectShipped(shop, orderId);
    expect(await notificationDeadLetters(orderId)).toMatchObject([
      { subject: 'sms/shipped', status: 'open', error: 'SMS: refused (twilio_21610)' },
    ]);
  });
});

describe('a long outage', () => {
  for (const { row, place } of STEPS) {
    test(`[${row}/F6] an order waits through a six-hour outage of ${place.operation} and then ships`, async (proof) => {
      const handle = await throughOutage({ place, proof, hours: 6 });
      expect((await handle.result()).status).toBe('shipped');
      await expectShipped(shop, orderIdOf(handle));
    });
  }

  for (const { row, place } of COMPENSATIONS) {
    test(`[${row}/F6] an order is cancelled and compensated once after a six-hour outage of ${place.operation}`, async (proof) => {
      shop.sandbox.faults.set(SHIP, { mode: 'refuse' });
      const handle = await throughOutage({ place, proof, hours: 6 });
      expect((await handle.result()).status).toBe('cancelled');
      await expectCleanSlate(shop, orderIdOf(handle));
    });
  }

  test('[S7/F6] an order waits through a three-day outage of ship and then ships', async (proof) => {
    const place = SHIP;
    const handle = await throughOutage({ place, proof, hours: 3 * 24 });
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('[S5/F6] an order is cancelled with deadline_passed when reserve stays unavailable', async (proof) => {
    shop.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    const handle = await shop.start();
    expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'deadline_passed' });
    proof.firedAll(shop.sandbox.faults);
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('[S8/F6] an order ships during a permanent mail outage and records both failed notifications', async (proof) => {
    shop.sandbox.faults.set(SEND, { mode: 'down' });
    const handle = await shop.start();
    expect((await handle.result()).status).toBe('shipped');
    proof.firedAll(shop.sandbox.faults);
    const failed = await shop.db.event.findMany({
      where: { orderId: orderIdOf(handle), type: 'order.notification_failed' },
    });
    expect(failed.map((event) => event.data)).toEqual([
      expect.objectContaining({ notification: 'confirmed' }),
      expect.objectContaining({ notification: 'shipped' }),
    ]);
  });
});

test('[S9/F6] an order ships during a permanent SMS outage, and its dead letter is redriven to one text message', async (proof) => {
  shop.sandbox.faults.set(SMS, { mode: 'down' });
  const handle = await shop.start({ sms: true });
  expect((await handle.result()).status).toBe('shipped');
  proof.firedAll(shop.sandbox.faults);
  const orderId = orderIdOf(handle);
  await expectShipped(shop, orderId);
  const notified = notificationsOf(shop, orderId).toSorted();
  expect([notified, textsOf(shop, orderId)]).toEqual([['confirmed', 'shipped'], []]);
  const [deadLetter] = await notificationDeadLetters(orderId);
  expect(deadLetter).toMatchObject({ subject: 'sms/shipped', status: 'open' });
  shop.sandbox.faults.clear();
  await shop.startWorker('events');
  const by = { apiKeyId: 'key_operator', correlationId: 'asked', name: 'operator' };
  const request = { action: 'retry', note: null, by } as const;
  expect((await redrive(shop.services, deadLetter?.id ?? '', request)).kind).toBe('redriven');
  await eventually(async () => {
    expect(await notificationDeadLetters(orderId)).toMatchObject([{ status: 'resolved' }]);
  });
  await shop.stopWorker('events');
  expect(textsOf(shop, orderId)).toHaveLength(1);
});

/** The dead letters of the notifications of the order. */
async function notificationDeadLetters(orderId: OrderId): Promise<readonly DeadLetter[]> {
  const filter = { source: 'notification', orderId } as const;
  return (await listDeadLetters(shop.db, filter, { limit: 10 })).deadLetters;
}

/** Starts an order, keeps the provider away for hours, checks that the order is not settled meanwhile. */
async function throughOutage(outage: {
  readonly place: Place;
  readonly proof: Proof;
  readonly hours: number;
}): Promise<CheckoutHandle> {
  const { env } = shop.temporal;
  shop.sandbox.faults.set(outage.place, { mode: 'down' });
  const handle = await shop.start();
  await env.sleep(outage.hours * 3_600_000);
  await eventually(async () => {
    const { status } = await handle.query(statusQuery);
    expect(['placed', 'reserved', 'paid', 'cancelling']).toContain(status);
  });
  outage.proof.firedAll(shop.sandbox.faults);
  shop.sandbox.faults.clear();
  return handle;
}
