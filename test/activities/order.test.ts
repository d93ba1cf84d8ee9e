import { afterEach, describe, expect, test, vi } from 'vitest';
import { createLimits } from '../../gateways/resilience/limits.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import { recordCancelling } from '../../prisma/orders/record-steps.ts';
import { recordNeedsAttention } from '../../prisma/orders/needs-attention.ts';
import { newId } from '../../prisma/client/ids.ts';
import { eraseOrder } from '../../prisma/privacy/erase.ts';
import type { OrderId } from '../../domain/ids.ts';
import { findStock } from '../../prisma/catalog/stock.ts';
import { PERSON } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { effectsOf, eventTypesOf, textsOf } from '../support/expectations.ts';
import { createSteps, useSteps } from './steps.ts';

const PARCEL = { carrier: 'Test Parcel', trackingNumber: 'TP1' } as const;

const steps = useSteps();
afterEach(() => {
  vi.useRealTimers();
});

describe('a compensation before its step', () => {
  test('a reserve that arrives after its release is refused and reserves nothing', async () => {
    const orderId = await steps.orderAfter();
    await steps.run('releaseStock', { orderId });
    expect(await steps.run('reserveStock', { orderId })).toEqual({
      kind: 'refused',
      reason: 'released',
    });
    expect(effectsOf(steps, orderId)).toEqual({ authorize: 1 });
    const stock = await findStock(steps.db, 'mug-white');
    await steps.run('releaseStock', { orderId });
    expect(await findStock(steps.db, 'mug-white')).toEqual(stock);
  });

  test('a shipping request that arrives after its cancellation is refused and ships no parcel', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment');
    expect(await steps.run('cancelShipment', { orderId })).toEqual({ kind: 'cancelled' });
    expect(await steps.run('requestShipment', { orderId })).toEqual({
      kind: 'refused',
      reason: 'cancelled',
    });
    expect(effectsOf(steps, orderId)['ship']).toBeUndefined();
  });

  test('a shipping request that arrives while a compensation needs attention is refused and ships no parcel', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment');
    const reason = 'requested_by_customer';
    await recordCancelling(steps.db, orderId, { reason, request: null });
    await recordNeedsAttention(steps.db, orderId, { steps: ['releaseStock'], failure: 'down' });
    expect(await steps.run('requestShipment', { orderId })).toEqual({
      kind: 'refused',
      reason: 'cancelled',
    });
    expect(effectsOf(steps, orderId)['ship']).toBeUndefined();
  });
});

describe('a parcel', () => {
  test('a look-up of a parcel that was never requested returns absent', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    expect(await steps.run('lookUpShipment', { orderId })).toEqual({ kind: 'absent' });
  });

  test('a look-up of a cancelled shipment returns cancelled', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment', 'requestShipment');
    await steps.run('cancelShipment', { orderId });
    expect(await steps.run('lookUpShipment', { orderId })).toEqual({ kind: 'cancelled' });
  });

  test('a look-up of a parcel that left returns shipped, and its cancellation returns already_shipped', async () => {
    const quick = await createSteps({ callbackDelayMs: 0 });
    try {
      const orderId = await quick.orderAfter('reserveStock', 'capturePayment', 'requestShipment');
      const parcel = { carrier: 'Sandbox Parcel', trackingNumber: expect.stringMatching(/^SP/) };
      await eventually(async () => {
        const found = await quick.run('lookUpShipment', { orderId });
        expect(found).toEqual({ kind: 'shipped', ...parcel });
      });
      expect(await quick.run('cancelShipment', { orderId })).toEqual({
        kind: 'already_shipped',
        ...parcel,
      });
      expect(effectsOf(quick, orderId)['cancel']).toBeUndefined();
    } finally {
      await quick.close();
    }
  });

  test('a repeated recordShipped keeps the first tracking number and takes the units off stock once', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment', 'requestShipment');
    const before = await findStock(steps.db, 'mug-white');
    await steps.run('recordShipped', { orderId, ...PARCEL });
    await steps.run('recordShipped', { orderId, ...PARCEL, trackingNumber: 'TP2' });
    const shipment = await steps.db.shipment.findUniqueOrThrow({ where: { orderId } });
    expect(shipment).toMatchObject({ status: 'shipped', ...PARCEL });
    const after = await findStock(steps.db, 'mug-white');
    expect((before?.onHand ?? 0) - (after?.onHand ?? 0)).toBe(2);
    expect((before?.held ?? 0) - (after?.held ?? 0)).toBe(2);
  });
});

describe('a step without a provider', () => {
  test('repeated recordCancelling and recordCancelled calls write one event each', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    const reason = 'requested_by_customer' as const;
    for (let repeat = 0; repeat < 3; repeat += 1) {
      await steps.run('recordCancelling', { orderId, reason });
    }
    for (let repeat = 0; repeat < 3; repeat += 1) {
      await steps.run('recordCancelled', { orderId, reason });
    }
    await steps.run('recordCancelling', { orderId, reason });
    const types = await eventTypesOf(steps, orderId);
    const written = types.filter((type) => type.startsWith('order.cancel'));
    expect(written).toEqual(['order.cancelling', 'order.cancelled']);
  });

  test('repeated recordNeedsAttention and recordResolved calls name the step and write one event each', async () => {
    const orderId = await steps.orderAfter('reserveStock');
    const waiting = { steps: ['capturePayment'], failure: 'capture: outcome unknown (deadline)' };
    await steps.run('recordNeedsAttention', { orderId, ...waiting });
    await steps.run('recordNeedsAttention', { orderId, ...waiting });
    const parked = await steps.db.order.findUniqueOrThrow({ where: { id: orderId } });
    expect(parked).toMatchObject({ status: 'needs_attention', attentionStep: 'capturePayment' });
    const resolved = { step: 'capturePayment', decision: 'retry', note: 'n', actor: 'op' } as const;
    await steps.run('recordResolved', { orderId, ...resolved, resumes: 'reserved' });
    await steps.run('recordResolved', { orderId, ...resolved, resumes: 'reserved' });
    const types = await eventTypesOf(steps, orderId);
    const written = types.filter((type) => type.includes('attention'));
    expect(written).toEqual(['order.needs_attention', 'order.attention_resolved']);
  });

  test('a notification is sent once, in the language of the order', async () => {
    const orderId = await steps.orderAfter();
    await steps.db.order.update({ where: { id: orderId }, data: { customerLanguage: 'de' } });
    for (const _ of [1, 2])
      await steps.run('notifyCustomer', { orderId, notification: 'confirmed' });
    const sent = steps.sandbox.ledgers.mail.effects().filter((each) => each.order_id === orderId);
    expect(sent).toHaveLength(1);
    const [mail] = steps.sandbox.inbox.mailsOf(orderId);
    expect(mail).toMatchObject({ language: 'de', text: expect.stringContaining('Guten Tag') });
    expect(mail?.html).toContain('<html lang="de"');
  });

  test('a text message is due after shipping with consent and an international number alone, and sent once', async () => {
    const notification = 'sms/shipped';
    const shipped = async ({ sms = true, phone = '+49 (0)30 5550100' }): Promise<OrderId> => {
      const { orderId } = await steps.order({ sms });
      await steps.db.order.update({ where: { id: orderId }, data: { customerPhone: phone } });
      for (const step of ['reserveStock', 'capturePayment', 'requestShipment'] as const) {
        await steps.run(step, { orderId });
      }
      return orderId;
    };
    const withoutConsent = await shipped({ sms: false });
    expect(await steps.run('recordShipped', { orderId: withoutConsent, ...PARCEL })).toBe(
      undefined,
    );
    const refused = { orderId: withoutConsent, notification } as const;
    expect(await steps.runFailing('notifyCustomer', refused)).toMatchObject({
      nonRetryable: true,
      message: 'SMS: refused (no_consent)',
    });
    const national = await shipped({ phone: '030 5550100' });
    expect(await steps.run('recordShipped', { orderId: national, ...PARCEL })).toBe(undefined);
    const due = await shipped({});
    // Again: the result of the first attempt was lost.
    for (const _ of [1, 2]) {
      expect(await steps.run('recordShipped', { orderId: due, ...PARCEL })).toEqual({ sms: true });
      await steps.run('notifyCustomer', { orderId: due, notification });
    }
    expect(textsOf(steps, due)).toEqual([expect.stringContaining(PARCEL.trackingNumber)]);
    expect(steps.sandbox.texts.sent('+49305550100')).toHaveLength(1);
    const event = { orderId: due, type: 'order.customer_notified' };
    expect(await steps.db.event.findMany({ where: event })).toMatchObject([
      { data: { notification, channel: 'sms' } },
    ]);
  });

  test('no SMS is sent without a provider, and none about an erased order', async () => {
    const { orderId } = await steps.order({ sms: true });
    for (const step of ['reserveStock', 'capturePayment', 'requestShipment'] as const) {
      await steps.run(step, { orderId });
    }
    const without = steps.replacing({ sms: null });
    expect(await without.run('recordShipped', { orderId, ...PARCEL })).toBe(undefined);
    const due = { orderId, notification: 'sms/shipped' } as const;
    expect(await without.runFailing('notifyCustomer', due)).toMatchObject({
      type: 'provider_unavailable',
      message: 'SMS: this worker has no SMS provider',
    });
    await eraseOrder(steps.db, orderId, 'system');
    await steps.run('notifyCustomer', due);
    expect(textsOf(steps, orderId)).toEqual([]);
  });

  test('a failed notification is recorded once per kind of notification', async () => {
    const orderId = await steps.orderAfter();
    const failed = { orderId, failure: 'mail: refused (smtp_550)' };
    await steps.run('recordNotificationFailed', { ...failed, notification: 'confirmed' });
    await steps.run('recordNotificationFailed', { ...failed, notification: 'confirmed' });
    await steps.run('recordNotificationFailed', { ...failed, notification: 'shipped' });
    const types = await eventTypesOf(steps, orderId);
    expect(types.filter((type) => type === 'order.notification_failed')).toHaveLength(2);
  });

  test('a forbidden transition fails permanently and writes no event', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment', 'requestShipment');
    await steps.run('recordShipped', { orderId, ...PARCEL });
    const before = await eventTypesOf(steps, orderId);
    const attention = { orderId, steps: ['x'], failure: 'x' };
    const failure = await steps.runFailing('recordNeedsAttention', attention);
    expect(failure).toMatchObject({ type: 'forbidden_transition', nonRetryable: true });
    expect(await eventTypesOf(steps, orderId)).toEqual(before);
  });

  test('a cancel of an order that is shipped returns its parcel and writes no event', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment', 'requestShipment');
    await steps.run('recordShipped', { orderId, ...PARCEL });
    const before = await eventTypesOf(steps, orderId);
    const reason = 'requested_by_customer';
    expect(await steps.run('recordCancelling', { orderId, reason })).toMatchObject({
      shipped: { kind: 'shipped', ...PARCEL },
    });
    expect(await eventTypesOf(steps, orderId)).toEqual(before);
  });
});

describe('a failure', () => {
  test.each(['reserveStock', 'capturePayment', 'voidOrRefundPayment', 'requestShipment'] as const)(
    '%s of an order that does not exist fails permanently',
    async (name) => {
      const failure = await steps.runFailing(name, { orderId: newId('order') });
      expect(failure).toMatchObject({ type: 'order_not_found', nonRetryable: true });
    },
  );

  test('an unexpected error is left to the workflow to retry and exposes only its type', async () => {
    const orderId = await steps.orderAfter();
    const broken = steps.replacing({
      mailer: {
        send: () => Promise.reject(new TypeError(`cannot mail to ${PERSON.email}`)),
        breakers: () => [],
      },
    });
    const failure = await broken.runFailing('notifyCustomer', {
      orderId,
      notification: 'confirmed',
    });
    expect(failure).toEqual({
      type: 'unexpected_error',
      nonRetryable: true,
      message: 'notifyCustomer: TypeError',
      nextRetryDelay: undefined,
    });
  });

  test('a value that the database refuses is not retried by Temporal, and the failure names the code alone', async () => {
    const orderId = await steps.orderAfter();
    const failure = await steps.runFailing('recordNotificationFailed', {
      orderId,
      notification: 'confirmed',
      // A byte PostgreSQL takes in no text.
      failure: `${PERSON.email}\u0000`,
    });
    expect(failure).toMatchObject({ type: 'unexpected_error', nonRetryable: true });
    expect(failure.message).toMatch(/^recordNotificationFailed: \w+ 22[0-9A-Z]{3}$/);
  });

  test('a call with the circuit open is not made and is retried when the circuit closes', async () => {
    const orderId = await steps.orderAfter();
    const breakAfter = 5;
    const warehouse = createHttpWarehouse({
      baseUrl: steps.sandbox.url,
      apiKey: 'test',
      limits: createLimits({ breakAfter }).warehouse,
    });
    const { runFailing } = steps.replacing({ warehouse });
    steps.sandbox.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    vi.useFakeTimers({ toFake: ['Date'] });
    for (let attempt = 0; attempt < breakAfter; attempt += 1) {
      const { type } = await runFailing('reserveStock', { orderId });
      expect(type).toBe('provider_unknown_outcome');
    }
    const failure = await runFailing('reserveStock', { orderId });
    const expected = { type: 'provider_unavailable', nonRetryable: false, nextRetryDelay: 60_000 };
    expect(failure).toMatchObject(expected);
    expect(steps.sandbox.faults.list()[0]?.fired).toBe(breakAfter);
  });
});
