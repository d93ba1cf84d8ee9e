import { Webhook } from 'standardwebhooks';
import fc from 'fast-check';
import Stripe from 'stripe';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createPaymentWebhookVerifier } from '../../gateways/stripe/webhook.ts';
import { createCallbackVerifier } from '../../gateways/warehouse/callback.ts';
import { newOrderId } from './provider.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 8).toString('base64')}`;
const FIVE_MINUTES_AND_A_BIT_MS = 301_000;
const NOW = new Date('2026-12-01T12:00:00.500Z');
/** Seconds from now, and whether a signature of that time is accepted. */
const TIMES = [
  [-1_000_000_000, false],
  [-86_400, false],
  [-302, false],
  [-301, false],
  [-300, true],
  [-1, true],
  [0, true],
  [299, true],
  [300, true],
  [301, false],
  [86_400, false],
  [100_000_000, false],
] as const;
/** The secrets of the receiver, the signing secrets of the sender, and whether they go together. */
const ROTATIONS = [
  [['a'], ['a'], true],
  [['a', 'b'], ['a'], true],
  [['a', 'b'], ['b'], true],
  [['a'], ['a', 'b'], true],
  [['b'], ['a', 'b'], true],
  [['a', 'b'], ['b', 'c'], true],
  [['a', 'b'], ['c'], false],
  [['b'], ['a'], false],
  [['a', 'b'], ['c', 'd'], false],
] as const;
const named = (name: string): string => `whsec_${Buffer.alloc(24, name).toString('base64')}`;

afterEach(() => vi.useRealTimers());
/** The verifiers' clock; the libraries read it too. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
}

/** No line of at most 200 characters. */
const UNCLEAR_TEXTS: readonly unknown[] = [
  undefined,
  null,
  7,
  true,
  [],
  {},
  '',
  ' ',
  'x'.repeat(201),
  'TP\u00001',
  'TP\ud8001',
  'TP\n1',
  'TP\u202e1',
];
const bytes = (text: string) => new TextEncoder().encode(text);

describe('warehouse callback', () => {
  const verify = createCallbackVerifier([SECRET]);
  const orderId = newOrderId();

  function signed(body: string, { secret = SECRET, at = new Date() } = {}) {
    const headers = {
      'Webhook-Id': 'msg_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
    };
    return { body: bytes(body), headers };
  }

  function message(type: string, data: object): string {
    const ids = { correlation_id: 'c-1', order_id: orderId };
    return JSON.stringify({ type, timestamp: new Date().toISOString(), data: { ...ids, ...data } });
  }

  test('a correctly signed shipment callback is verified whatever the case of its headers', () => {
    const body = message('shipment.shipped', { carrier: 'DHL', tracking_number: 'T1' });
    expect(verify(signed(body))).toEqual({
      kind: 'verified',
      id: 'msg_1',
      answer: {
        correlationId: 'c-1',
        orderId,
        answer: { kind: 'shipped', carrier: 'DHL', trackingNumber: 'T1' },
      },
    });
  });

  test('a refusal callback keeps a reason that is a code and replaces one in prose by unspecified', () => {
    const reasonOf = (reason: string) => {
      const verdict = verify(signed(message('shipment.refused', { reason })));
      return verdict.kind === 'verified' ? verdict.answer.answer : verdict;
    };
    expect(reasonOf('damaged')).toEqual({ kind: 'refused', reason: 'damaged' });
    expect(reasonOf('Ada Lovelace moved')).toEqual({ kind: 'refused', reason: 'unspecified' });
  });

  test('a callback with another secret, changed bytes, missing headers or an old timestamp is rejected', () => {
    const body = message('shipment.shipped', { carrier: 'DHL', tracking_number: 'T1' });
    const rejected = { kind: 'rejected', reason: 'bad_signature' };
    const old = new Date(Date.now() - FIVE_MINUTES_AND_A_BIT_MS);
    const { headers } = signed(body);
    expect(verify(signed(body, { secret: OTHER_SECRET }))).toEqual(rejected);
    expect(verify({ body: bytes(`${body} `), headers })).toEqual(rejected);
    expect(verify({ body: bytes(body), headers: {} })).toEqual(rejected);
    expect(verify(signed(body, { at: old }))).toEqual(rejected);
  });

  test.each(TIMES)('a callback signed %i s from now is accepted: %s', (seconds, accepted) => {
    stopClock();
    const at = new Date(NOW.getTime() + seconds * 1_000);
    const body = message('shipment.refused', { reason: 'damaged' });
    expect(verify(signed(body, { at })).kind).toBe(accepted ? 'verified' : 'rejected');
  });

  test.each(ROTATIONS)(
    'a receiver with the secrets %j of a callback signed with %j accepts it: %s',
    (receiver, sender, accepted) => {
      const body = message('shipment.refused', { reason: 'damaged' });
      const { headers } = signed(body);
      const at = new Date(Number(headers['webhook-timestamp']) * 1_000);
      const signatures = sender.map((each) => new Webhook(named(each)).sign('msg_1', at, body));
      const verdict = createCallbackVerifier(receiver.map(named))({
        body: bytes(body),
        headers: { ...headers, 'webhook-signature': signatures.join(' ') },
      });
      expect(verdict.kind).toBe(accepted ? 'verified' : 'rejected');
    },
  );

  test('a correctly signed callback outside of the contract is not understood, never rejected', () => {
    const unclear = { kind: 'not_understood', id: 'msg_1', orderId: null };
    const lost = { ...unclear, type: 'shipment.lost' };
    expect(verify(signed(message('shipment.lost', {})))).toEqual(lost);
    for (const body of ['not json', '', '[]', '{"type":7}', '{"type":"a\\u0000b"}']) {
      expect(verify(signed(body))).toEqual({ ...unclear, type: null });
    }
  });

  test.each(UNCLEAR_TEXTS)(
    'a signed shipped callback whose tracking number is %j names its order and is not understood',
    (text) => {
      const unclear = { kind: 'not_understood', id: 'msg_1', type: 'shipment.shipped', orderId };
      for (const data of [
        { carrier: 'DHL', tracking_number: text },
        { carrier: text, tracking_number: 'T1' },
        { carrier: 'DHL', tracking_number: text, order_id: 7, correlation_id: `${orderId}.ship` },
      ]) {
        expect(verify(signed(message('shipment.shipped', data)))).toEqual(unclear);
      }
    },
  );

  test('a message id that is no id is replaced by its digest, the same for each repeat', () => {
    const at = new Date();
    const id = 'x'.repeat(3_000);
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(SECRET).sign(id, at, '{}'),
    };
    const verdict = verify({ body: bytes('{}'), headers });
    expect(verdict).toMatchObject({ id: expect.stringMatching(/^sha256\/[0-9a-f]{64}$/) });
    expect(verify({ body: bytes('{}'), headers })).toEqual(verdict);
  });
});

describe('payment webhook', () => {
  const verify = createPaymentWebhookVerifier([SECRET]);
  const orderId = newOrderId();

  function signed(payload: string, { secret = SECRET, at = new Date() } = {}) {
    const timestamp = Math.floor(at.getTime() / 1000);
    const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
    return { body: bytes(payload), signature };
  }

  function event(type: string, object: object): string {
    return JSON.stringify({ id: 'evt_1', object: 'event', type, data: { object } });
  }

  test('a payment intent event yields its intent and its order', () => {
    const intent = { object: 'payment_intent', id: 'pi_1', metadata: { order_id: orderId } };
    const payload = event('payment_intent.succeeded', intent);
    expect(verify(signed(payload))).toEqual({
      kind: 'verified',
      id: 'evt_1',
      type: 'payment_intent.succeeded',
      orderId,
      about: {
        object: { type: 'payment_intent', id: 'pi_1' },
        reference: 'pi_1',
        refundedMinor: null,
      },
      kept: bytes(payload),
    });
  });

  test('an event is kept with every byte but the secret of its payment', () => {
    const around =
      '{"id":"evt_1","name":"K\u00f6ln \ud83d\ude80","data":{"object":{"client_secret" : ';
    const payload = `${around}"pi_1_secret_x","next_action":null}}}`;
    const verdict = verify(signed(payload));
    if (verdict.kind !== 'verified') throw new Error(verdict.kind);
    const kept = Buffer.from(verdict.kept).toString();
    expect(kept).toBe(`${around}"not kept","next_action":null}}}`);
  });

  test('a charge event yields its payment intent and the refunded amount', () => {
    const money = { amount_refunded: 70_000, currency: 'isk' };
    const charge = { object: 'charge', id: 'ch_1', payment_intent: 'pi_1', metadata: {}, ...money };
    const verdict = verify(signed(event('charge.refunded', charge)));
    expect(verdict).toMatchObject({ kind: 'verified', orderId: null });
    expect(verdict).toMatchObject({ about: { reference: 'pi_1', refundedMinor: 700 } });
  });

  test('a payment webhook with another secret, changed bytes, no signature or an old timestamp is rejected', () => {
    const payload = event('payment_intent.succeeded', { object: 'payment_intent', id: 'pi_1' });
    const rejected = { kind: 'rejected', reason: 'bad_signature' };
    const old = new Date(Date.now() - FIVE_MINUTES_AND_A_BIT_MS);
    const { signature } = signed(payload);
    expect(verify(signed(payload, { secret: OTHER_SECRET }))).toEqual(rejected);
    expect(verify({ body: bytes(`${payload} `), signature })).toEqual(rejected);
    expect(verify({ body: bytes(payload), signature: null })).toEqual(rejected);
    expect(verify({ body: bytes(payload), signature: 'nonsense' })).toEqual(rejected);
    expect(verify(signed(payload, { at: old }))).toEqual(rejected);
  });

  test.each(TIMES)(
    'a payment webhook signed %i s from now is accepted: %s',
    (seconds, accepted) => {
      stopClock();
      const at = new Date(NOW.getTime() + seconds * 1_000);
      const payload = event('payment_intent.succeeded', { object: 'payment_intent', id: 'pi_1' });
      expect(verify(signed(payload, { at })).kind).toBe(accepted ? 'verified' : 'rejected');
    },
  );

  test.each([
    ['t=1,', 'before'],
    ['t=99999999999,', 'before'],
    ['t=,', 'before'],
    ['t=NaN,', 'before'],
    [',t=1', 'after'],
    [',t=99999999999', 'after'],
  ])('a second time %s %s the signed one is rejected', (time, where) => {
    const payload = event('payment_intent.succeeded', { object: 'payment_intent', id: 'pi_1' });
    const { body, signature } = signed(payload);
    const doubled = where === 'before' ? `${time}${signature}` : `${signature}${time}`;
    expect(verify({ body, signature: doubled }).kind).toBe('rejected');
  });

  test.each(ROTATIONS)(
    'a receiver with the secrets %j of a payment webhook signed with %j accepts it: %s',
    (receiver, sender, accepted) => {
      const payload = event('payment_intent.succeeded', { object: 'payment_intent', id: 'pi_1' });
      const [first = '', ...more] = sender.map(
        (each) => signed(payload, { secret: named(each) }).signature,
      );
      const signature = [first, ...more.map((each) => each.replace(/^t=\d+,/, ''))].join(',');
      const verdict = createPaymentWebhookVerifier(receiver.map(named))({
        body: bytes(payload),
        signature,
      });
      expect(verdict.kind).toBe(accepted ? 'verified' : 'rejected');
    },
  );

  test('a genuine event is never rejected, whatever it holds', () => {
    for (const payload of ['{}', 'not json', '', '[]', 'null', '{"id":7,"type":7,"data":7}']) {
      expect(verify(signed(payload))).toEqual({
        kind: 'verified',
        id: expect.stringMatching(/^sha256\//),
        type: null,
        orderId: null,
        about: null,
        kept: bytes(payload),
      });
    }
    const run = fc.property(fc.json({ maxDepth: 3 }), (json) => {
      expect(verify(signed(json)).kind).toBe('verified');
    });
    fc.assert(run);
  });

  test.each([
    { object: 'balance', available: [] },
    { object: 'payment_intent', id: 7, metadata: { order_id: orderId } },
    { object: 'payment_intent', id: 'pi_\u0000', metadata: { order_id: orderId } },
    { object: 'charge', id: 'ch_1', amount_refunded: '70', metadata: { order_id: orderId } },
    { object: 'charge', id: 'ch_1', payment_intent: {}, metadata: { order_id: orderId } },
  ])('an event about %j keeps its id, its type and the order that it names', (object) => {
    const payload = event('charge.refunded', object);
    expect(verify(signed(payload))).toEqual({
      kind: 'verified',
      id: 'evt_1',
      type: 'charge.refunded',
      orderId: 'metadata' in object ? orderId : null,
      about: null,
      kept: bytes(payload),
    });
  });
});
