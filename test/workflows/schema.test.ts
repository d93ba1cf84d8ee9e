import fc from 'fast-check';
import { expect, test } from 'vitest';
import { refundNotification } from '../../domain/ids.ts';
import { newId } from '../../prisma/client/ids.ts';
import {
  cancelRequest,
  checkoutInput,
  resolution,
  shipmentAnswered,
} from '../../workflows/checkout/inputs.ts';
import {
  deliveryInput,
  notificationInput,
  subscriptionInput,
} from '../../workflows/events/inputs.ts';
import { reconcileInput } from '../../workflows/operations/inputs.ts';
import { refundInput, retryRefund } from '../../workflows/refund/inputs.ts';
import { parse, type Schema } from '../../workflows/schema.ts';

const orderId = newId('order');
const refundId = newId('refund');
const decided = { step: 'shipOrder', decision: 'retry', note: 'looked into it', actor: 'Ada' };
const shipped = { kind: 'shipped', carrier: 'Post', trackingNumber: 'P-1' };
const resume = { from: 'paid', cancelReason: null, resolution: decided, shippedManually: false };

/** Each schema with what our own code sends. */
const ACCEPTED: readonly (readonly [string, Schema<unknown>, object])[] = [
  ['checkout', checkoutInput, { orderId, totalMinor: 2_400, currency: 'EUR' }],
  ['checkout that resumes', checkoutInput, { orderId, totalMinor: 0, currency: 'EUR', resume }],
  ['refund', refundInput, { refundId, orderId, amountMinor: 1, currency: 'JPY' }],
  [
    'delivery',
    deliveryInput,
    {
      subscription: 'webhook/we_1',
      eventId: crypto.randomUUID(),
      orderId,
      attempts: 1,
      delaysMs: [0, 5_000.5],
      firstFailedAt: '2026-11-30T10:00:00.000Z',
      error: 'HTTP 500',
    },
  ],
  ['notification', notificationInput, { orderId, notification: 'shipped' }],
  ['notification', notificationInput, { orderId, notification: refundNotification(refundId) }],
  ['subscription', subscriptionInput, { subscription: 'audit' }],
  ['reconciliation', reconcileInput, { scope: 'full', reconciliationId: 'rec_1' }],
  ['shipmentAnswered', shipmentAnswered, { correlationId: `${orderId}.ship`, answer: shipped }],
  [
    'shipmentAnswered',
    shipmentAnswered,
    { correlationId: `${orderId}.ship`, answer: { kind: 'refused', reason: 'not_available' } },
  ],
  ['cancel', cancelRequest, { reason: 'requested_by_operator', actor: 'Ada' }],
  ['cancel', cancelRequest, { reason: 'requested_by_customer' }],
  ['resolve', resolution, decided],
  ['retryRefund', retryRefund, { actor: 'key_1' }],
];

const SECRET = 'canary';
/** What no store keeps, what breaks a line, nothing to see, and too much of it. */
const badText = fc.constantFrom('a\u0000b', '\ud800', 'a\nb', '\u202e', '', ' ', 'x'.repeat(3_000));
const notText = fc.constantFrom(null, 7, true, {}, [], [SECRET], { kind: SECRET });

test.each(ACCEPTED)(
  'the input of %s is accepted as our own code sends it, without unexpected members',
  (_, schema, accepted) => {
    expect(parse(schema, accepted, 'input')).toEqual({ kind: 'valid', value: accepted });
    const more = { ...accepted, unexpected: SECRET };
    expect(parse(schema, more, 'input')).toEqual({ kind: 'valid', value: accepted });
  },
);

test.each(ACCEPTED)(
  'another JSON value for the input of %s is refused in words that quote nothing of it',
  (_, schema) => {
    const any = fc.oneof(fc.constant(undefined), fc.jsonValue(), fc.constant(SECRET), notText);
    fc.assert(
      fc.property(any, (value) => {
        const parsed = parse(schema, value, 'input');
        if (parsed.kind === 'valid') throw new Error('accepted');
        expect(parsed.reason).toMatch(/^input/);
        expect(parsed.reason).not.toContain(SECRET);
      }),
    );
  },
);

test.each(ACCEPTED)(
  'a member of the input of %s of another type, or with text that no store keeps, is refused by its name',
  (_, schema, accepted) => {
    fc.assert(
      fc.property(
        fc.constantFrom(...leavesOf(accepted).filter(([name]) => name !== 'error')),
        fc.oneof(badText, notText),
        (path, bad) => {
          const parsed = parse(schema, withValue(accepted, path, bad), 'input');
          if (parsed.kind === 'valid') {
            // Right for members that may be null, a number, a boolean or a list.
            expect([null, 7, true, []]).toContainEqual(bad);
          } else {
            expect(parsed.reason).toContain(`input.${path[0]}`);
            expect(parsed.reason).not.toContain(SECRET);
          }
        },
      ),
    );
  },
);

test('the error of a delivery is kept as long as every store keeps it', () => {
  const delivery = ACCEPTED.find(([name]) => name === 'delivery')?.[2];
  for (const error of ['', 'a\nb', 'x'.repeat(3_000)]) {
    expect(parse(deliveryInput, { ...delivery, error }, 'input').kind).toBe('valid');
  }
  for (const error of ['a\u0000b', '\ud800', 7]) {
    expect(parse(deliveryInput, { ...delivery, error }, 'input').kind).toBe('invalid');
  }
});

/** The paths of all members that are no objects. */
function leavesOf(value: object, path: readonly string[] = []): (readonly string[])[] {
  return Object.entries(value).flatMap(([name, member]) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? leavesOf(member, [...path, name])
      : [[...path, name]],
  );
}

function withValue(value: object, [name = '', ...rest]: readonly string[], bad: unknown): object {
  const member: unknown = Reflect.get(value, name);
  const isInner = rest.length > 0 && typeof member === 'object' && member !== null;
  return { ...value, [name]: isInner ? withValue(member, rest, bad) : bad };
}
