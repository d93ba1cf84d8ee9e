import { RawValue } from '@temporalio/common';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { notificationKey } from '../../domain/ids.ts';
import { followCase } from '../../services/payment-cases.ts';
import {
  lookUpShipmentSignal,
  shipmentAnsweredSignal,
  statusQuery,
} from '../../workflows/checkout/contract.ts';
import { atProvider, openCase } from '../support/cases.ts';
import { eventually } from '../support/eventually.ts';
import {
  attentionOf,
  deadLetterOf,
  effectsOf,
  eventTypesOf,
  expectCleanSlate,
  expectShipped,
} from '../support/expectations.ts';
import { orderIdOf, type CheckoutHandle } from '../support/running-shop.ts';
import { acceptEvents, refuseEvents } from '../support/refused-events.ts';
import { skipDays } from '../support/temporal.ts';
import { answerShipment, PARCEL, resolve } from '../support/updates.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const LOOK_UP = { provider: 'warehouse', operation: 'lookup' } as const;
const CALLBACK = { provider: 'warehouse', operation: 'callback' } as const;
const MAIL = { provider: 'mail', operation: 'send' } as const;
const REFUND = { provider: 'payments', operation: 'refund' } as const;
const SHIP = { provider: 'warehouse', operation: 'ship' } as const;

const shop = useSkippingShop();

describe('a shipment signal', () => {
  test('a shipment signal ships the order while look-ups fail', async () => {
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    const handle = await shop.start();
    await untilRequested(handle);
    await answerShipment(handle);
    expect((await handle.result()).status).toBe('shipped');
    expect(await trackingOf(handle)).toBe('TP1');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('a shipment signal that arrives before the ship request returns is applied', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'answer_lost', times: 2 });
    const handle = await shop.start();
    await answerShipment(handle);
    expect((await handle.result()).status).toBe('shipped');
    expect(await trackingOf(handle)).toBe('TP1');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('the first of two shipment signals is applied and the order ships once', async () => {
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    // Keeps the order open until the second signal arrives.
    shop.sandbox.faults.set(MAIL, { mode: 'down' });
    const handle = await shop.start();
    await untilRequested(handle);
    await answerShipment(handle);
    await answerShipment(handle, { ...PARCEL, trackingNumber: 'TP2' });
    shop.sandbox.faults.clear();
    await handle.result();
    expect(await trackingOf(handle)).toBe('TP1');
    const types = await eventTypesOf(shop, orderIdOf(handle));
    expect(types.filter((type) => type === 'order.shipped')).toHaveLength(1);
  });

  test('a shipment signal with a foreign correlation id is ignored', async () => {
    const handle = await shop.start();
    await handle.signal(shipmentAnsweredSignal, { correlationId: 'foreign', answer: PARCEL });
    await handle.result();
    expect(await trackingOf(handle)).not.toBe('TP1');
  });

  test('an order that gets no shipment signal ships after a look-up', async () => {
    const handle = await shop.start();
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });

  test('a signal that refuses the shipment cancels the order and compensates every effect', async () => {
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    shop.sandbox.faults.set(CALLBACK, { mode: 'refuse' });
    const handle = await shop.start();
    await untilRequested(handle);
    await answerShipment(handle, { kind: 'refused', reason: 'damaged' });
    expect(await handle.result()).toEqual({ status: 'cancelled', reason: 'shipping_refused' });
    await expectCleanSlate(shop, orderIdOf(handle));
  });

  test('a confirmation that waits for the mail server is not sent after the shipment was refused', async () => {
    shop.sandbox.faults.set(CALLBACK, { mode: 'refuse' });
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    shop.sandbox.faults.set(MAIL, { mode: 'down' });
    shop.sandbox.faults.set(REFUND, { mode: 'refuse' });
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    await untilRequested(handle);
    await answerShipment(handle, { kind: 'refused', reason: 'damaged' });
    await eventually(async () =>
      expect(await attentionOf(shop, orderId)).toBe('voidOrRefundPayment'),
    );
    shop.sandbox.faults.clear();
    await shop.temporal.env.sleep('1 hour');
    await resolve(handle, { step: 'voidOrRefundPayment', decision: 'retry' });
    expect((await handle.result()).status).toBe('cancelled');
    const sent = shop.sandbox.ledgers.mail.effects().map(({ key }) => key);
    expect(sent).toContain(notificationKey(orderId, 'cancelled'));
    expect(sent).not.toContain(notificationKey(orderId, 'confirmed'));
  });

  test('a shipment signal to a settled order is rejected and changes nothing', async () => {
    shop.sandbox.faults.set(SHIP, { mode: 'refuse' });
    const handle = await shop.start();
    await handle.result();
    await expect(answerShipment(handle)).rejects.toThrow();
    await expectCleanSlate(shop, orderIdOf(handle));
    expect(effectsOf(shop, orderIdOf(handle))['ship']).toBeUndefined();
  });
});

describe('a shipment that is held', () => {
  test('a shipment that is held for a day asks a person, who can ship it all the same', async () => {
    const { handle } = await heldFor('warnings');
    const orderId = orderIdOf(handle);
    await shop.temporal.env.sleep('25 hours');
    await eventually(async () => expect(await attentionOf(shop, orderId)).toBe('shipOrder'));
    expect((await deadLetterOf(shop, orderId))?.error).toContain('held for fraud warning issfr_');
    await resolve(handle, { step: 'shipOrder', decision: 'retry' });
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderId);
  });

  test('a review that ends with a refund asks a person at once', async () => {
    const { handle } = await heldFor('reviews', 'refunded');
    const orderId = orderIdOf(handle);
    await eventually(async () => expect(await attentionOf(shop, orderId)).toBe('shipOrder'));
    await resolve(handle, { step: 'shipOrder', decision: 'retry' });
    expect((await handle.result()).status).toBe('shipped');
  });

  test('a dispute 40 days after the parcel left is recorded with the order', async () => {
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    expect((await handle.result()).status).toBe('shipped');
    await skipDays(shop.temporal.env, 40);
    shop.sandbox.clock.setOffset(40 * 86_400_000);
    const { id } = await openCase(shop, orderId, ['disputes']);
    shop.sandbox.clock.setOffset(0);
    expect(await followCase(shop.services, { kind: 'dispute', id })).toBe('done');
    expect((await eventTypesOf(shop, orderId)).at(-1)).toBe('payment.disputed');
    const { openedAt } = await shop.db.paymentCase.findUniqueOrThrow({ where: { id } });
    expect(openedAt.getTime() - Date.now()).toBeGreaterThan(39 * 86_400_000);
  });

  /** An order whose case was known before its shipment was due. */
  async function heldFor(kind: 'warnings' | 'reviews', closedAs?: string) {
    await shop.stopWorker('checkouts');
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    const opened = await openCase(shop, orderId, [kind]);
    if (closedAs !== undefined) {
      await atProvider(shop, `/payments/reviews/${opened.id}/close`, { reason: closedAs });
    }
    const ours = kind === 'reviews' ? 'review' : 'fraud_warning';
    await followCase(shop.services, { kind: ours, id: opened.id });
    await shop.startWorker('checkouts');
    await eventually(async () =>
      expect(await eventTypesOf(shop, orderId)).toContain('order.shipment_held'),
    );
    return { handle, opened };
  }
});

describe('a report that is not understood', () => {
  afterEach(() => vi.restoreAllMocks());
  const pending = { kind: 'pending' } as const;
  const unclear = {
    kind: 'unknown',
    reason: 'answer_not_understood',
    notUnderstood: true,
  } as const;

  test('a shipment is looked up at once after a report that is not understood', async () => {
    const handle = await shop.start();
    await untilRequested(handle);
    // Whatever an operator sends with it.
    await handle.signal(lookUpShipmentSignal.name, RawValue.fromPayload({ metadata: {} }));
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
  });

  test.each([
    ['a report that no look-up settles', { found: pending, reported: true, failure: 'not settle' }],
    [
      'a look-up that is not understood',
      { found: unclear, reported: false, failure: 'answer_not_understood' },
    ],
  ])(
    'after %s an operator is asked within minutes, and a retry ships',
    async (_, { found, reported, failure }) => {
      vi.spyOn(shop.gateways.warehouse, 'lookUpShipment').mockResolvedValue(found);
      const handle = await shop.start();
      const orderId = orderIdOf(handle);
      await untilRequested(handle);
      if (reported) await handle.signal(lookUpShipmentSignal);
      await shop.temporal.env.sleep('5 minutes');
      expect(await attentionOf(shop, orderId)).toBe('shipOrder');
      expect((await deadLetterOf(shop, orderId))?.error).toContain(failure);
      vi.restoreAllMocks();
      await resolve(handle, { step: 'shipOrder', decision: 'retry' });
      expect((await handle.result()).status).toBe('shipped');
      await expectShipped(shop, orderId);
    },
  );

  test('a tracking number that the database cannot keep needs attention within minutes, and the failure is named', async () => {
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    const handle = await shop.start();
    const orderId = orderIdOf(handle);
    await untilRequested(handle);
    await refuseEvents(shop.db, 'order.shipped', '22021');
    try {
      await answerShipment(handle);
      await shop.temporal.env.sleep('5 minutes');
      expect(await attentionOf(shop, orderId)).toBe('checkout');
      expect((await deadLetterOf(shop, orderId))?.error).toMatch(/^recordShipped: .* 22021$/);
    } finally {
      await acceptEvents(shop.db);
    }
    await expect(handle.result()).rejects.toThrow();
  });
});

async function trackingOf(handle: CheckoutHandle): Promise<string | null | undefined> {
  const where = { orderId: orderIdOf(handle) };
  return (await shop.db.shipment.findUnique({ where }))?.trackingNumber;
}

/** Waits, without skipping time, until the warehouse has the request. */
async function untilRequested(handle: CheckoutHandle): Promise<void> {
  await eventually(async () => {
    const types = await eventTypesOf(shop, orderIdOf(handle));
    expect(types).toContain('order.shipment_requested');
  });
  // A query waits for the end of the workflow task: this server may lose a signal during one.
  await handle.query(statusQuery);
}
