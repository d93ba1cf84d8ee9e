import { describe, expect } from 'vitest';
import { orderNumber } from '../../domain/order-number.ts';
import type { Mode } from '../../local/sandbox/faults.ts';
import { useSteps } from '../activities/steps.ts';
import { eventTypesOf, notificationsOf, textsOf } from '../support/expectations.ts';
import { test } from './matrix-case.ts';
import type { Fault } from './table.ts';

const steps = useSteps();

const WITHOUT_EFFECT: readonly { readonly mode: Mode; readonly fault: Fault }[] = [
  { mode: 'fail_before', fault: 'F1' },
  { mode: 'hang', fault: 'F3' },
  { mode: 'down', fault: 'F1' },
];

describe('notifyCustomer', () => {
  const place = { provider: 'mail', operation: 'send' } as const;

  for (const { mode, fault } of WITHOUT_EFFECT) {
    test(`[S8/${fault}] a notification under mail fault ${mode} fails retryably unsent, and the next attempt sends it`, async (proof) => {
      const orderId = await steps.orderAfter();
      steps.sandbox.faults.set(place, { mode });
      const attempt = { orderId, notification: 'confirmed' } as const;
      const failure = await steps.withShortDeadlines.runFailing('notifyCustomer', attempt);
      expect(failure).toMatchObject({ type: 'provider_unknown_outcome', nonRetryable: false });
      expect(notificationsOf(steps, orderId)).toEqual([]);
      proof.firedAll(steps.sandbox.faults);
      steps.sandbox.faults.clear();
      await steps.run('notifyCustomer', { orderId, notification: 'confirmed' });
      expect(notificationsOf(steps, orderId)).toEqual(['confirmed']);
      expect((await eventTypesOf(steps, orderId)).at(-1)).toBe('order.customer_notified');
    });
  }
  test('[S8/F2] [S8/F4] a notification sent again after a lost response reaches the customer as one mail', async (proof) => {
    const orderId = await steps.orderAfter();
    steps.sandbox.faults.set(place, { mode: 'answer_lost', times: 1 });
    await steps.runFailing('notifyCustomer', { orderId, notification: 'confirmed' });
    proof.firedAll(steps.sandbox.faults);
    await steps.run('notifyCustomer', { orderId, notification: 'confirmed' });
    const sent = steps.sandbox.ledgers.mail.effects().filter((each) => each.order_id === orderId);
    expect(sent).toHaveLength(2);
    const mails = steps.sandbox.inbox
      .mails()
      .filter((mail) => mail.subject.includes(orderNumber(orderId)));
    expect(mails).toHaveLength(1);
    const types = await eventTypesOf(steps, orderId);
    expect(types.filter((type) => type === 'order.customer_notified')).toHaveLength(1);
  });

  test('a notification refused by the mail server fails permanently', async () => {
    const orderId = await steps.orderAfter();
    steps.sandbox.faults.set(place, { mode: 'refuse' });
    const failure = await steps.runFailing('notifyCustomer', {
      orderId,
      notification: 'confirmed',
    });
    expect(failure).toMatchObject({ type: 'provider_rejected_request', nonRetryable: true });
  });

  test('each notification has its own mail, and only the shipped one has the tracking number', async () => {
    const orderId = await steps.orderAfter('reserveStock', 'capturePayment', 'requestShipment');
    const parcel = { carrier: 'Test Parcel', trackingNumber: 'TP-77' };
    await steps.run('notifyCustomer', { orderId, notification: 'confirmed' });
    await steps.run('recordShipped', { orderId, ...parcel });
    await steps.run('notifyCustomer', { orderId, notification: 'shipped' });
    const [confirmed, shipped] = steps.sandbox.inbox
      .mails()
      .filter((mail) => mail.subject.includes(orderNumber(orderId)));
    expect(confirmed?.text).toContain('€24.00');
    expect(confirmed?.text).not.toContain('TP-77');
    expect(shipped?.text).toContain('Tracking number: TP-77');
  });
});

describe('notifyCustomer by SMS', () => {
  const place = { provider: 'sms', operation: 'send' } as const;
  const notification = 'sms/shipped';

  for (const { mode, fault } of WITHOUT_EFFECT) {
    test(`[S9/${fault}] a text message under ${mode} fails retryably unsent, and the next attempt sends it`, async (proof) => {
      const { orderId } = await steps.order({ sms: true });
      steps.sandbox.faults.set(place, { mode });
      const failure = await steps.withShortDeadlines.runFailing('notifyCustomer', {
        orderId,
        notification,
      });
      expect(failure).toMatchObject({ type: 'provider_unknown_outcome', nonRetryable: false });
      expect(textsOf(steps, orderId)).toEqual([]);
      proof.firedAll(steps.sandbox.faults);
      steps.sandbox.faults.clear();
      await steps.run('notifyCustomer', { orderId, notification });
      expect(textsOf(steps, orderId)).toHaveLength(1);
      expect((await eventTypesOf(steps, orderId)).at(-1)).toBe('order.customer_notified');
    });
  }

  test('[S9/F2] [S9/F4] a text message whose response is lost is looked up, and the customer gets one', async (proof) => {
    const { orderId } = await steps.order({ sms: true });
    steps.sandbox.faults.set(place, { mode: 'answer_lost', times: 1 });
    await steps.runFailing('notifyCustomer', { orderId, notification });
    proof.firedAll(steps.sandbox.faults);
    for (let n = 0; n < 3; n += 1) await steps.run('notifyCustomer', { orderId, notification });
    expect(textsOf(steps, orderId)).toHaveLength(1);
    const types = await eventTypesOf(steps, orderId);
    expect(types.filter((type) => type === 'order.customer_notified')).toHaveLength(1);
    const [event] = await steps.db.event.findMany({
      where: { orderId, type: 'order.customer_notified' },
    });
    expect(event?.data).toEqual({ notification, channel: 'sms' });
  });

  test('[S9/F1] a text message that the provider refuses fails permanently', async (proof) => {
    const { orderId } = await steps.order({ sms: true });
    steps.sandbox.faults.set(place, { mode: 'refuse' });
    const failure = await steps.runFailing('notifyCustomer', { orderId, notification });
    proof.firedAll(steps.sandbox.faults);
    expect(failure).toMatchObject({
      type: 'provider_rejected_request',
      nonRetryable: true,
      message: 'SMS: refused (twilio_21610)',
    });
  });
});
