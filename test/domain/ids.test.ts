import fc from 'fast-check';
import { typeid } from 'typeid-js';
import { describe, expect, test } from 'vitest';
import {
  checkoutWorkflowId,
  intentKey,
  isOrderId,
  notificationKey,
  providerKey,
  refundKey,
  derivedKey,
  shipmentCorrelationId,
  type Intent,
  type Notification,
  type OrderId,
} from '../../domain/ids.ts';
import { newId } from '../../prisma/client/ids.ts';

const INTENTS: readonly Intent[] = [
  'authorize',
  'capture',
  'void',
  'refund',
  'reserve',
  'release',
  'ship',
];
const NOTIFICATIONS: readonly Notification[] = ['confirmed', 'shipped', 'cancelled'];

describe('isOrderId', () => {
  test('isOrderId accepts every generated order id', () => {
    for (let made = 0; made < 50; made += 1) expect(isOrderId(newId('order'))).toBe(true);
  });

  test.each([
    ['an empty string', ''],
    ['the prefix alone', 'ord_'],
    ['another kind of id', newId('payment')],
    ['a prefix that only begins alike', typeid('order').toString()],
    ['an id without its prefix', newId('order').slice(4)],
    ['upper case', newId('order').toUpperCase()],
    ['one character too many', `${newId('order')}0`],
    ['one character too few', newId('order').slice(0, -1)],
    ['more than 128 bits', `ord_8${'0'.repeat(25)}`],
    ['a letter the alphabet leaves out', `ord_01${'l'.repeat(24)}`],
    ['a line break at the end', `${newId('order')}\n`],
    ['something around it', ` ${newId('order')} `],
    ['a path', `${newId('order')}/../x`],
  ])('isOrderId rejects %s as an id', (_, text) => {
    expect(isOrderId(text)).toBe(false);
  });

  test('isOrderId rejects arbitrary strings', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(isOrderId(text)).toBe(false);
      }),
    );
  });
});

describe('ids derived from an order id', () => {
  test('derived ids are stable and differ between intents and orders', () => {
    const orders = [newId('order'), newId('order')] as const;
    const all = orders.flatMap(derived);
    expect(new Set(all).size).toBe(all.length);
    expect(orders.flatMap(derived)).toEqual(all);
  });

  test('derived ids keep their published format', () => {
    const orderId = newId('order');
    expect(checkoutWorkflowId(orderId)).toBe(`checkout/${orderId}`);
    expect(providerKey(orderId, 'capture')).toBe(`${orderId}/capture`);
    expect(derivedKey(providerKey(orderId, 'capture'), 2)).toBe(`${orderId}/capture/2`);
    expect(shipmentCorrelationId(orderId)).toBe(`${orderId}.ship`);
    expect(notificationKey(orderId, 'shipped')).toBe(`${orderId}.shipped`);
  });

  test('the key of a repeated call leads back to its intent, and no other key changes', () => {
    const orderId = newId('order');
    const refund = refundKey(orderId, newId('refund'));
    for (const key of [...INTENTS.map((intent) => providerKey(orderId, intent)), refund]) {
      expect([1, 2, 10].map((nth) => intentKey(derivedKey(key, nth)))).toEqual([key, key, key]);
    }
    expect(intentKey('re_3')).toBe('re_3');
  });

  test('derived ids fit into 255 characters, and notification keys suit a Message-ID', () => {
    for (const text of derived(newId('order'))) expect(text.length).toBeLessThanOrEqual(255);
    for (const notification of NOTIFICATIONS) {
      expect(notificationKey(newId('order'), notification)).toMatch(/^[a-z0-9_.]+$/);
    }
  });
});

function derived(orderId: OrderId): string[] {
  return [
    checkoutWorkflowId(orderId),
    shipmentCorrelationId(orderId),
    ...INTENTS.map((intent) => providerKey(orderId, intent)),
    ...NOTIFICATIONS.map((notification) => notificationKey(orderId, notification)),
  ];
}
