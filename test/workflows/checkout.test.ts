import { expect, test } from 'vitest';
import { PERSON, orderIdOf } from '../support/bench.ts';
import { describeCheckout } from '../support/checkout-suite.ts';
import { eventTypesOf, expectShipped, noticesOf } from '../support/expectations.ts';
import { readable } from '../../audit/readable.ts';

describeCheckout('an order whose steps all succeed', (suite) => {
  test('an order without failures ships, is charged once and sends a confirmed and a shipped mail', async () => {
    const { bench } = suite;
    const handle = await bench.start();
    expect(await handle.result()).toEqual({ status: 'shipped', reason: null });
    const orderId = orderIdOf(handle);
    await expectShipped(bench, orderId);
    expect(noticesOf(bench, orderId).toSorted()).toEqual(['confirmed', 'shipped']);
  });

  test('an order without failures records one event per change, in order', async () => {
    const { bench } = suite;
    const handle = await bench.start();
    await handle.result();
    const types = await eventTypesOf(bench, orderIdOf(handle));
    const told = (type: string): boolean => type === 'order.customer_notified';
    expect(types.filter((type) => !told(type))).toEqual([
      'order.created',
      'order.placed',
      'order.reserved',
      'order.paid',
      'order.shipment_requested',
      'order.shipped',
    ]);
    expect(types.filter(told)).toHaveLength(2);
  });

  test('an order without failures leaves no personal data in Temporal', async () => {
    const { bench, env } = suite;
    const handle = await bench.start();
    await handle.result();
    const history = readable(await handle.fetchHistory());
    expect(history).toContain(orderIdOf(handle));
    const described = readable(await env.client.workflow.getHandle(handle.workflowId).describe());
    for (const canary of Object.values(PERSON)) {
      expect(history).not.toContain(canary);
      expect(described).not.toContain(canary);
    }
  });

  test('an order without failures schedules no durable activity and writes at most 26 events', async () => {
    const handle = await suite.bench.start();
    await handle.result();
    const { events } = await handle.fetchHistory();
    const scheduled = events?.filter((event) => event.activityTaskScheduledEventAttributes) ?? [];
    expect(scheduled).toEqual([]);
    expect(events?.length).toBeLessThanOrEqual(26);
  });
});
