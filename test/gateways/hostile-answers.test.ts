import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import { isLine, isStorable, toInstant, unstorablePath } from '../../domain/text.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import { readRequest, startHttpServer } from '../support/http-server.ts';
import { useOpened } from '../support/use-opened.ts';
import { newOrderId, quickLimits } from './provider.ts';

/** Providers that answer anything: an answer is read by the one definition of text, or not understood. */
let answer: { readonly status: number; readonly body: string | Buffer };
const asked: string[] = [];
const provider = useOpened(() =>
  startHttpServer(async (request, response) => {
    asked.push((await readRequest(request)).body);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  }),
);
const limits = quickLimits({ breakAfter: 1_000_000 });
const warehouse = () =>
  createHttpWarehouse({
    baseUrl: provider.url,
    apiKey: 'shop',
    limits: { reserve: limits, ship: limits, lookup: limits },
  });
const payments = () =>
  createStripePayments({
    apiKey: 'sk_test_local',
    apiUrl: provider.url,
    limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
  });
beforeEach(() => asked.splice(0));

const UNDERSTOOD_NOTHING = {
  kind: 'unknown',
  reason: expect.stringMatching(/^the answer of .* is not understood/),
  notUnderstood: true,
};
const HOSTILE = [
  '',
  ' ',
  '\u200b',
  'TP\u0000 1',
  'TP\ud800',
  'TP\n1',
  'TP\u001b[31m1',
  'TP\u20281',
  '\u202eTP',
  'x'.repeat(201),
  7,
  null,
  ['TP'],
] as const;
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\0', '\ud800', '\u200b', '\n', '\u202e'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});

describe("the warehouse's answers", () => {
  const lookUp = async (body: unknown) => {
    answer = { status: 200, body: Buffer.isBuffer(body) ? body : JSON.stringify(body) };
    return warehouse().lookUpShipment({ correlationId: shipmentCorrelationId(newOrderId()) });
  };

  test.each(HOSTILE)('the tracking number %j is not understood', async (bad) => {
    const shipped = { state: 'shipped', carrier: 'Test Parcel', tracking_number: 'TP-1' };
    expect(await lookUp({ ...shipped, tracking_number: bad })).toEqual(UNDERSTOOD_NOTHING);
    expect(await lookUp({ ...shipped, carrier: bad })).toEqual(UNDERSTOOD_NOTHING);
  });

  test('a tracking number is a line without blanks around it, or the answer is not understood', async () => {
    const property = fc.asyncProperty(hostile, async (text) => {
      const found = await lookUp({ state: 'shipped', carrier: 'DHL', tracking_number: text });
      if (found.kind !== 'shipped') {
        expect(found).toEqual(UNDERSTOOD_NOTHING);
        return;
      }
      expect(found.trackingNumber).toBe(text.trim());
      expect(isLine(found.trackingNumber, 200)).toBe(true);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  test('an answer that is not UTF-8 is not guessed', async () => {
    const body = Buffer.from(
      '{"state":"shipped","carrier":"Jos\xe9","tracking_number":"1"}',
      'latin1',
    );
    const reason = 'no usable answer from the warehouse (answer_not_utf8)';
    expect(await lookUp(body)).toEqual({ kind: 'unknown', reason });
  });

  test.each([
    { order_id: 'ord 1' },
    { order_id: 'ord_\0' },
    { lines: [{ sku: 'mug\0', quantity: 1 }] },
    { lines: [{ sku: 'mug', quantity: 2 ** 31 }] },
    { lines: [{ sku: 'mug', quantity: -1 }] },
    { created_at: '2026-01-31T12:00:00' },
    { created_at: '0000-01-01T00:00:00Z' },
  ])('a record with %j is not understood', async (changes) => {
    const good = {
      order_id: 'ord_1',
      reservation: 'reserved',
      lines: [{ sku: 'mug', quantity: 1 }],
      shipment: null,
      created_at: '2026-01-31T12:00:00+20:02',
    };
    answer = { status: 200, body: JSON.stringify(good) };
    const found = await warehouse().lookUpRecord({ orderId: 'ord_1' });
    expect(found).toMatchObject({ record: { createdAt: '2026-01-30T15:58:00.000Z' } });
    answer = { status: 200, body: JSON.stringify({ ...good, ...changes }) };
    expect(await warehouse().lookUpRecord({ orderId: 'ord_1' })).toEqual(UNDERSTOOD_NOTHING);
  });

  test('a region and a missing postal code reach the warehouse', async () => {
    answer = { status: 202, body: '{}' };
    const orderId = newOrderId();
    const address = { line1: '1 Nathan Road', city: 'Kowloon', region: 'KLN', country: 'HK' };
    const outcome = await warehouse().ship({
      key: `${orderId}/ship`,
      orderId,
      lines: [{ sku: 'mug-white', quantity: 1 }],
      correlationId: shipmentCorrelationId(orderId),
      callbackUrl: 'https://shop.example/callbacks/warehouse',
      recipient: { name: 'Ada Lovelace', address },
    });
    expect(outcome).toEqual({ kind: 'accepted' });
    expect(JSON.parse(asked[0] ?? '')).toMatchObject({ recipient: { address } });
    expect(asked[0]).not.toContain('postal_code');
  });
});

describe("Stripe's answers", () => {
  const INTENT = {
    object: 'payment_intent',
    id: 'pi_1',
    amount: 2_400,
    created: 1_700_000_000,
    currency: 'eur',
    metadata: {},
    status: 'succeeded',
    last_payment_error: null,
    latest_charge: { amount_captured: 2_400, amount_refunded: 0 },
  };
  const lookUp = (intent: object) => {
    answer = { status: 200, body: JSON.stringify(intent) };
    return payments().lookUp({ orderId: newOrderId(), reference: 'pi_1' });
  };

  test.each([
    { id: 'pi_\0' },
    { id: 'pi 1' },
    { id: '' },
    { id: 7 },
    { currency: 'eu\0' },
    { currency: 'EURO' },
    { created: 1e18 },
    { created: -1 },
    { created: 0.5 },
    { created: 'today' },
    { amount: 0.5 },
    { amount: 2 ** 53 },
    { amount: '2400' },
    { latest_charge: { amount_captured: 0.5, amount_refunded: 0 } },
  ])('a payment with %j is not understood', async (changes) => {
    expect(await lookUp(INTENT)).toMatchObject({ kind: 'found' });
    expect(await lookUp({ ...INTENT, ...changes })).toEqual(UNDERSTOOD_NOTHING);
  });

  test('the end of an authorization beyond the year 9999 is not understood', async () => {
    const authorized = (capture_before: number) => ({
      ...INTENT,
      status: 'requires_capture',
      latest_charge: { payment_method_details: { card: { capture_before } } },
    });
    expect(await lookUp(authorized(1_800_000_000))).toMatchObject({ kind: 'found' });
    expect(await lookUp(authorized(1e15))).toEqual(UNDERSTOOD_NOTHING);
  });

  test('whatever a foreign payment holds, it is read into what can be stored, or not understood', async () => {
    const value = fc.oneof(hostile, fc.double(), fc.constant(null), fc.constant('eur'));
    const change = fc.oneof(
      fc.record({ id: value }),
      fc.record({ currency: value }),
      fc.record({ created: value }),
      fc.record({ metadata: fc.record({ order_id: hostile }) }),
    );
    const property = fc.asyncProperty(change, async (changes) => {
      const found = await lookUp({ ...INTENT, ...changes });
      if (found.kind !== 'found') {
        expect(found).toEqual(UNDERSTOOD_NOTHING);
        return;
      }
      expect(unstorablePath(found.payment)).toBeNull();
      expect(toInstant(found.payment.createdAt)).toBe(found.payment.createdAt);
      expect(isStorable(found.payment.orderId ?? '')).toBe(true);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  const REFUND = {
    object: 'refund',
    id: 're_1',
    payment_intent: 'pi_1',
    amount: 500,
    currency: 'eur',
    status: 'pending',
    metadata: {},
    charge: null,
  };
  const refundOf = async (refund: unknown) => {
    answer = { status: 200, body: JSON.stringify(refund) };
    const found = await payments().lookUpRefund('re_1');
    answer = { status: 200, body: JSON.stringify({ data: [refund], has_more: false }) };
    return [found, await payments().listRefundsOf('pi_1')];
  };

  test.each([
    { id: 're_\0' },
    { id: '' },
    { id: 7 },
    { payment_intent: 'pi 1' },
    { payment_intent: 7 },
    { amount: 0.5 },
    { amount: 2 ** 53 },
    { amount: '500' },
    { amount: null },
    { currency: 'EURO' },
    { currency: null },
    { status: 'on_its_way' },
    { status: null },
  ])('a refund with %j is not understood', async (changes) => {
    expect(await refundOf(REFUND)).toMatchObject([{ kind: 'found' }, { kind: 'listed' }]);
    expect(await refundOf({ ...REFUND, ...changes })).toEqual([
      UNDERSTOOD_NOTHING,
      UNDERSTOOD_NOTHING,
    ]);
  });

  const CASES = {
    dispute: {
      id: 'du_1',
      payment_intent: 'pi_1',
      created: 1_700_000_000,
      amount: 500,
      currency: 'eur',
      reason: 'fraudulent',
      status: 'needs_response',
    },
    fraud_warning: {
      id: 'issfr_1',
      payment_intent: 'pi_1',
      created: 1_700_000_000,
      actionable: true,
      fraud_type: 'misc',
    },
    review: {
      id: 'prv_1',
      payment_intent: 'pi_1',
      created: 1_700_000_000,
      open: true,
      opened_reason: 'rule',
    },
  } as const;
  const caseOf = (kind: keyof typeof CASES, record: unknown) => {
    answer = { status: 200, body: JSON.stringify(record) };
    return payments().lookUpCase({ kind, id: 'x' });
  };

  test.each([
    ['dispute', { id: 'du_\0' }],
    ['dispute', { payment_intent: 'pi 1' }],
    ['dispute', { created: 1e18 }],
    ['dispute', { amount: -1 }],
    ['dispute', { amount: 0.5 }],
    ['dispute', { currency: 'EURO' }],
    ['dispute', { status: null }],
    ['dispute', { evidence_details: { due_by: 1e18 } }],
    ['fraud_warning', { actionable: 'yes' }],
    ['fraud_warning', { created: null }],
    ['review', { open: 'no' }],
    ['review', { opened_reason: 7 }],
  ] as const)('a %s with %j is not understood', async (kind, changes) => {
    expect(await caseOf(kind, CASES[kind])).toMatchObject({ kind: 'found' });
    expect(await caseOf(kind, { ...CASES[kind], ...changes })).toEqual(UNDERSTOOD_NOTHING);
  });

  test('whatever Stripe answers to any call, it has an outcome that can be stored', async () => {
    const gateway = payments();
    const orderId = newOrderId();
    const amount = { amountMinor: 2_400, currency: 'EUR' };
    const settle = { key: `${orderId}/x`, orderId, reference: 'pi_1', amount };
    const window = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', after: null };
    const calls: readonly (() => Promise<object>)[] = [
      () => gateway.authorize({ ...settle, paymentMethod: 'pm_card_visa' }),
      () => gateway.capture(settle),
      () => gateway.voidAuthorization(settle),
      () => gateway.refund(settle),
      () => gateway.lookUp({ orderId, reference: null }),
      () => gateway.lookUpReference('pi_1'),
      () => gateway.lookUpRefund('re_1'),
      () => gateway.listRefundsOf('pi_1'),
      () => gateway.listPayments(window),
      () => gateway.listRefunds(window),
      ...(['dispute', 'fraud_warning', 'review'] as const).flatMap((kind) => [
        () => gateway.lookUpCase({ kind, id: 'x' }),
        () => gateway.listCases({ ...window, kind }),
      ]),
    ];
    const bad = fc.oneof(hostile, fc.double(), fc.constant(null), fc.jsonValue());
    const record = fc
      .constantFrom<object>(INTENT, REFUND, ...Object.values(CASES))
      .chain((kept) => fc.tuple(fc.constant(kept), fc.constantFrom(...Object.keys(kept)), bad))
      .map(([kept, name, value]) => ({ ...kept, [name]: value }));
    const list = fc.record({ data: fc.array(fc.oneof(record, bad)), has_more: fc.boolean() });
    const body = fc.oneof(record, list, bad, fc.record({ data: bad, has_more: bad }));
    const property = fc.asyncProperty(fc.constantFrom(...calls), body, async (call, response) => {
      answer = { status: 200, body: JSON.stringify(response) };
      expect(unstorablePath(await call())).toBeNull();
    });
    await fc.assert(property, { numRuns: 1_000 });
  });
});
