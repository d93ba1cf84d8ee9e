import { describe, expect, test } from 'vitest';
import { isOrderId } from '../../domain/ids.ts';
import { readable } from '../../tools/audit/readable.ts';
import { CANARIES } from '../support/client.ts';
import {
  eventTypesOf,
  expectCleanSlate,
  expectShipped,
  notificationsOf,
  textsOf,
} from '../support/expectations.ts';
import { orderOf } from '../support/responses.ts';
import { acceptRefund, startRefund } from '../support/refunding.ts';
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

describe('an order in a currency', () => {
  test.each([
    ['EUR', { total: 2_400, refund: 1_001, mail: ['€24.00', '€10.01'] }],
    ['USD', { total: 2_700, refund: 1_001, mail: ['$27.00', '$10.01'] }],
    ['JPY', { total: 3_900, refund: 1_001, mail: ['¥3,900', '¥1,001'] }],
    ['KWD', { total: 8_000, refund: 1_010, mail: ['KWD\u00a08.000', 'KWD\u00a01.010'] }],
  ])(
    'two mugs in %s are charged, refunded in part and written in mails with its decimals',
    async (currency, { total, refund, mail }) => {
      const handle = await shop.start({ currency });
      expect((await handle.result()).status).toBe('shipped');
      const orderId = orderIdOf(handle);
      await expectShipped(shop, orderId);
      const refunding = await startRefund(shop, await acceptRefund(shop.db, orderId, refund));
      expect(await refunding.result()).toMatchObject({ status: 'succeeded' });
      const effects = shop.sandbox.ledgers.payments.effectsOf(orderId);
      expect(effects.map((each) => [each.operation, each.amount_minor, each.currency])).toEqual([
        ['authorize', total, currency],
        ['capture', total, currency],
        ['refund', refund, currency],
      ]);
      const payment = await shop.db.payment.findUniqueOrThrow({ where: { orderId } });
      expect(payment).toMatchObject({ currency, capturedMinor: total, refundedMinor: refund });
      const mails = shop.sandbox.inbox.mailsOf(orderId);
      const confirmed = mails.find(({ subject }) => subject.includes('confirmed'));
      const refunded = mails.find(({ subject }) => subject.includes('efund'));
      expect(confirmed?.text).toContain(mail[0]);
      expect(refunded?.text).toContain(mail[1]);
    },
  );
});

describe('an order of three lines of which the warehouse has two', () => {
  const lines = ['mug-white', 'poster-a2', 'tee-black-m'].map((sku) => ({ sku, quantity: 1 }));

  async function startPartOf(fulfillment: 'all_or_nothing' | 'ship_available') {
    shop.sandbox.warehouseStock.set('poster-a2', 0);
    const { id } = await orderOf(await shop.place({ lines, fulfillment }));
    if (!isOrderId(id)) throw new Error(`no id of an order: ${id}`);
    await shop.services.starter.drain();
    const result = await shop.checkoutOf(id).result();
    shop.sandbox.warehouseStock.set('poster-a2', null);
    return { id, result };
  }

  const amountsAtProvider = (id: string) =>
    shop.sandbox.ledgers.payments
      .effects()
      .filter(({ order_id }) => order_id === id)
      .map(({ operation, amount_minor }) => `${operation} ${amount_minor}`);

  test('an order that takes what there is ships two lines, and is charged and confirmed for those', async () => {
    const { id, result } = await startPartOf('ship_available');
    expect(result).toEqual({ status: 'shipped', reason: null });
    expect(amountsAtProvider(id)).toEqual(['authorize 5600', 'capture 3700']);
    await expectShipped(shop, id);
    const confirmed = shop.sandbox.inbox
      .mailsOf(id)
      .find(({ subject }) => subject.includes('confirmed'));
    expect(confirmed?.text).toContain('Not available: 1 x Poster, A2');
    expect(confirmed?.text).toContain('You pay: €37.00');
  });

  test('an order that takes all or nothing is cancelled, and nothing is charged', async () => {
    const { id, result } = await startPartOf('all_or_nothing');
    expect(result).toEqual({ status: 'cancelled', reason: 'warehouse_refused' });
    expect(amountsAtProvider(id)).toEqual(['authorize 5600', 'void 5600']);
    await expectCleanSlate(shop, id);
    expect(notificationsOf(shop, id)).toEqual(['cancelled']);
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
