import fc from 'fast-check';
import { expect, test } from 'vitest';
import { composeEmail, composeRefundEmail } from '../../activities/checkout/email-templates.ts';
import type { Order, Shipment } from '../../domain/order.ts';
import { newId } from '../../prisma/client/ids.ts';

const AT = '2026-01-31T12:00:00.000Z';

function orderIn(currency: string, totalMinor: number): Order {
  return {
    id: newId('order'),
    status: 'shipped',
    version: 5,
    currency,
    totalMinor,
    lines: [{ sku: 'mug', name: 'Mug', quantity: 1, unitPriceMinor: totalMinor }],
    adjustments: [],
    customer: {
      id: newId('customer'),
      email: 'ada@example.com',
      name: 'Ada',
      phone: null,
      language: 'en',
      smsConsent: false,
    },
    shippingAddress: { line1: 'Street 1', city: 'Dubai', country: 'AE' },
    correlationId: 'x',
    traceparent: null,
    inspectable: false,
    cancelReason: null,
    attentionStep: null,
    createdAt: AT,
    updatedAt: AT,
    erasedAt: null,
  };
}

function shipmentOf({ id: orderId }: Order, trackingNumber: string): Shipment {
  const id = newId('shipment');
  const shipment = { id, orderId, status: 'shipped', correlationId: 'x', carrier: 'DHL' } as const;
  return { ...shipment, trackingNumber, requestedAt: AT, answeredAt: AT };
}

test.each([
  ['HUF', 250_000, '2,500.00'],
  ['TWD', 250_000, '2,500.00'],
  ['ISK', 2_500, '2,500'],
  ['JPY', 2_500, '2,500'],
  ['KWD', 2_500, '2.500'],
])('an e-mail states a total in %s of %i minor units as %s', (currency, totalMinor, written) => {
  const order = orderIn(currency, totalMinor);
  const total = composeEmail(order, 'confirmed', null).text.split('\n').find(isTotal);
  expect(total?.replace(/[^\d.,]/g, '')).toBe(written);
  const refund = {
    id: newId('refund'),
    orderId: order.id,
    key: 'x',
    cause: 'requested',
    status: 'succeeded',
    amountMinor: totalMinor,
    currency,
    lines: [],
    reason: null,
    failureCode: null,
    requestedAt: AT,
    settledAt: AT,
  } as const;
  expect(composeRefundEmail(order, refund).text).toContain(`${written}. It should reach`);
});

const isTotal = (line: string): boolean => line.startsWith('Total: ');

test('whatever a tracking number holds, it is one line of the e-mail', () => {
  const order = orderIn('EUR', 2_500);
  const lines = composeEmail(order, 'shipped', shipmentOf(order, 'TP-1')).text.split('\n').length;
  const unit = fc.constantFrom('\n', '\r', '\0', '\u2028', '\u202e', '\u0085', '\ud800', 'T', ' ');
  fc.assert(
    fc.property(fc.string({ unit, minLength: 1 }), (trackingNumber) => {
      const { text } = composeEmail(order, 'shipped', shipmentOf(order, trackingNumber));
      expect(text.split('\n')).toHaveLength(lines);
      expect(text).not.toMatch(/[\0\r\u0085\u2028\u202e]|\p{Cs}/u);
    }),
  );
});
