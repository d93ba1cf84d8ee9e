import { describe, expect, test } from 'vitest';
import { readable } from '../../tools/audit/readable.ts';
import { CANARIES } from '../support/client.ts';
import { eventTypesOf, expectShipped, notificationsOf, textsOf } from '../support/expectations.ts';
import { orderIdOf } from '../support/running-shop.ts';
import { useSkippingShop } from '../support/use-shop.ts';

const shop = useSkippingShop();

describe('an order whose steps all succeed', () => {
  test('an order without failures ships, is charged once and sends a confirmed and a shipped e-mail', async () => {
    const handle = await shop.start();
    expect(await handle.result()).toEqual({ status: 'shipped', reason: null });
    const orderId = orderIdOf(handle);
    await expectShipped(shop, orderId);
    expect(notificationsOf(shop, orderId).toSorted()).toEqual(['confirmed', 'shipped']);
  });

  test('an order without failures records one event per change, in order', async () => {
    const handle = await shop.start();
    await handle.result();
    const types = await eventTypesOf(shop, orderIdOf(handle));
    const isNotification = (type: string): boolean => type === 'order.customer_notified';
    expect(types.filter((type) => !isNotification(type))).toEqual([
      'order.created',
      'order.placed',
      'order.reserved',
      'order.paid',
      'order.shipment_requested',
      'order.shipped',
    ]);
    expect(types.filter(isNotification)).toHaveLength(2);
  });

  test('an order without failures leaves no personal data in Temporal', async () => {
    const { env } = shop.temporal;
    const handle = await shop.start();
    await handle.result();
    const history = readable(await handle.fetchHistory());
    expect(history).toContain(orderIdOf(handle));
    const described = readable(await env.client.workflow.getHandle(handle.workflowId).describe());
    for (const canary of CANARIES) {
      expect(history).not.toContain(canary);
      expect(described).not.toContain(canary);
    }
  });

  test('an order without failures schedules no durable activity and writes at most 26 events', async () => {
    const handle = await shop.start({ inspectable: false });
    await handle.result();
    const { events } = await handle.fetchHistory();
    const scheduled = events?.filter((event) => event.activityTaskScheduledEventAttributes) ?? [];
    expect(scheduled).toEqual([]);
    expect(events?.length).toBeLessThanOrEqual(26);
  });
});

describe('an order whose customer has agreed to SMS', () => {
  test('the order ships with one text message beside its e-mails, and no personal data is in Temporal', async () => {
    const handle = await shop.start({ sms: true });
    expect((await handle.result()).status).toBe('shipped');
    const orderId = orderIdOf(handle);
    await expectShipped(shop, orderId);
    expect(textsOf(shop, orderId)).toHaveLength(1);
    expect(notificationsOf(shop, orderId).toSorted()).toEqual(['confirmed', 'shipped']);
    const types = await eventTypesOf(shop, orderId);
    expect(types.filter((type) => type === 'order.customer_notified')).toHaveLength(3);
    const history = readable(await handle.fetchHistory());
    expect(history).toContain('"sms":true');
    for (const canary of CANARIES) expect(history).not.toContain(canary);
  });
});

describe('an inspectable order', () => {
  test('an inspectable order runs every step as an ordinary activity that succeeds at its first attempt', async () => {
    const handle = await shop.start({ inspectable: true });
    expect((await handle.result()).status).toBe('shipped');
    await expectShipped(shop, orderIdOf(handle));
    const { events = [] } = await handle.fetchHistory();
    const scheduled = events?.flatMap((event) => event.activityTaskScheduledEventAttributes ?? []);
    expect(scheduled?.map(({ activityType }) => activityType?.name).toSorted()).toEqual([
      'capturePayment',
      'lookUpShipment',
      'notifyCustomer',
      'notifyCustomer',
      'recordShipped',
      'requestShipment',
      'reserveStock',
    ]);
    const begun = events?.flatMap((event) => event.activityTaskStartedEventAttributes ?? []);
    expect(begun?.map(({ attempt }) => attempt)).toEqual(scheduled?.map(() => 1));
    expect(events?.filter((event) => event.markerRecordedEventAttributes)).toEqual([]);
  });
});
