/**
 * An answer outside of a provider's contract is neither final nor an outage: it is distinguished, counted,
 * and does not open a breaker, which would hold up every other order.
 */
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import { isLine } from '../../domain/text.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import { startHttpServer } from '../support/http-server.ts';
import { newOrderId, quickLimits } from './provider.ts';

/** The gateways to a provider that answers every call like this. A single failure opens a breaker. */
async function gatewaysTo(answer: { status: number; body: () => unknown }) {
  const provider = await startHttpServer((_, response) => {
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer.body()));
  });
  onTestFinished(provider.close);
  const limits = quickLimits({ breakAfter: 1 });
  const { url } = provider;
  return {
    warehouse: createHttpWarehouse({
      baseUrl: url,
      apiKey: 'key',
      limits: { reserve: limits, ship: limits, lookup: limits },
    }),
    payments: createStripePayments({
      apiKey: 'sk_test_local',
      apiUrl: url,
      limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
    }),
  };
}

const NOT_UNDERSTOOD = { kind: 'unknown', reason: expect.any(String), notUnderstood: true };
const orderId = newOrderId();
const correlationId = shipmentCorrelationId(orderId);
const INTENT = {
  object: 'payment_intent',
  id: 'pi_1',
  amount: 2_400,
  created: 1_700_000_000,
  currency: 'eur',
  metadata: { order_id: orderId },
  status: 'requires_capture',
  latest_charge: null,
};
const RECORD = {
  order_id: orderId,
  reservation: 'reserved',
  lines: [{ sku: 'mug-white', quantity: 1 }],
  shipment: null,
  created_at: '2026-01-01T00:00:00Z',
};
const WINDOW = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', after: null };
/** Any JSON, and texts that only nearly are what they should be. */
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 1 }),
  fc.constantFrom('TP\u00001', 'TP\ud8001', 'TP\t1', ' ', 'x'.repeat(201), 'lost', 'shipped'),
  fc.string({ unit: 'binary' }),
);

function lineOf(each: unknown): string | null {
  const text = typeof each === 'string' ? each.trim() : null;
  return isLine(text, 200) ? text : null;
}

describe('the warehouse', () => {
  test('a look-up is shipped only with a carrier and a tracking number that can be kept', async () => {
    let body: unknown = {};
    const { warehouse } = await gatewaysTo({ status: 200, body: () => body });
    let unclear = 0;
    const run = fc.asyncProperty(value, value, async (carrier, tracking) => {
      body = { state: 'shipped', carrier, tracking_number: tracking };
      const found = await warehouse.lookUpShipment({ correlationId });
      const [name, number] = [lineOf(carrier), lineOf(tracking)];
      if (name !== null && number !== null) {
        expect(found).toEqual({ kind: 'shipped', carrier: name, trackingNumber: number });
      } else {
        unclear += 1;
        expect(found).toEqual(NOT_UNDERSTOOD);
      }
    });
    await fc.assert(run);
    expect(unclear).toBeGreaterThan(0);
    expect(warehouse.breakers()).toContainEqual(
      expect.objectContaining({
        name: 'warehouse.lookup',
        state: 'closed',
        notUnderstood: unclear,
      }),
    );
  });

  test('no other state of a shipment is taken for an answer', async () => {
    let body: unknown = {};
    const { warehouse } = await gatewaysTo({ status: 200, body: () => body });
    const known = ['requested', 'shipped', 'refused', 'cancelled'];
    const run = fc.asyncProperty(value, async (state) => {
      fc.pre(!known.some((each) => each === state));
      body = { state, carrier: 'DHL', tracking_number: 'T1', reason: 'damaged' };
      expect(await warehouse.lookUpShipment({ correlationId })).toEqual(NOT_UNDERSTOOD);
    });
    await fc.assert(run);
  });

  test.each([{}, { code: 'refused' }, { code: 'new' }, null])(
    'a refusal %j of a reservation or a shipping request is not understood',
    async (refusal) => {
      const { warehouse } = await gatewaysTo({ status: 409, body: () => refusal });
      const request = { key: 'k', orderId, lines: [] };
      expect(await warehouse.reserve(request)).toEqual(NOT_UNDERSTOOD);
      const address = { line1: '1 Street', city: 'London', postalCode: 'N1', country: 'GB' };
      const recipient = { name: 'Ada', address };
      const callbackUrl = 'http://127.0.0.1:9/';
      const shipping = { ...request, correlationId, callbackUrl, recipient };
      expect(await warehouse.ship(shipping)).toEqual(NOT_UNDERSTOOD);
    },
  );

  const twoMugs = { sku: 'mug', quantity: 2 };
  test.each([
    ['another product', true, [{ sku: 'cup', quantity: 1 }]],
    ['more units', true, [{ sku: 'mug', quantity: 3 }]],
    ['more units in two lines', true, [twoMugs, { sku: 'mug', quantity: 1 }]],
    ['nothing', true, []],
    ['no units', true, [{ sku: 'mug', quantity: 0 }]],
    ['a part of a unit', true, [{ sku: 'mug', quantity: 0.5 }]],
    ['no list', true, 'all'],
    [
      'fewer units than an order wants that takes all or nothing',
      false,
      [{ sku: 'mug', quantity: 1 }],
    ],
  ])('a reservation of %s is not understood', async (_, partial, lines) => {
    const { warehouse } = await gatewaysTo({ status: 201, body: () => ({ lines }) });
    const request = { key: 'k', orderId, lines: [twoMugs], partial };
    expect(await warehouse.reserve(request)).toEqual(NOT_UNDERSTOOD);
  });

  test('a cancel whose parcel cannot be read is not understood', async () => {
    const body = () => ({ code: 'already_shipped', carrier: 'DHL', tracking_number: 'T\u0000' });
    const { warehouse } = await gatewaysTo({ status: 409, body });
    expect(await warehouse.cancelShipment({ correlationId })).toEqual(NOT_UNDERSTOOD);
  });

  test.each([
    ['an unknown shipment state', { shipment: 'lost' }, orderId],
    ['an unknown reservation', { reservation: 'misplaced' }, orderId],
    ['a SKU that cannot be kept', { lines: [{ sku: 'a\u0000', quantity: 1 }] }, orderId],
    ['no order', { order_id: 7 }, null],
  ])('a listed record with %s is named, and the others are compared', async (_, odd, subject) => {
    const data = [{ ...RECORD, ...odd }, RECORD];
    const { warehouse } = await gatewaysTo({
      status: 200,
      body: () => ({ data, has_more: false }),
    });
    expect(await warehouse.listRecords(WINDOW)).toMatchObject({
      kind: 'page',
      records: [{ orderId }],
      unreadable: [{ subject, orderId: subject }],
      next: null,
    });
  });

  test('a page that does not say where the next one starts is not understood', async () => {
    const body = () => ({ data: [RECORD, { ...RECORD, order_id: null }], has_more: true });
    const { warehouse } = await gatewaysTo({ status: 200, body });
    expect(await warehouse.listRecords(WINDOW)).toEqual(NOT_UNDERSTOOD);
  });
});

describe('the payment provider', () => {
  const call = (payments: ReturnType<typeof createStripePayments>) => ({
    lookUp: () => payments.lookUp({ orderId, reference: 'pi_1' }),
    lookUpReference: () => payments.lookUpReference('pi_1'),
    authorize: () =>
      payments.authorize({
        key: 'k',
        orderId,
        amount: { amountMinor: 2_400, currency: 'EUR' },
        paymentMethod: 'pm_card_visa',
      }),
  });

  test.each(['lookUp', 'lookUpReference', 'authorize'] as const)(
    '%s returns not understood for a payment of unknown status, and its breaker stays closed',
    async (operation) => {
      const body = () => ({ ...INTENT, status: 'requires_something_new' });
      const { payments } = await gatewaysTo({ status: 200, body });
      expect(await call(payments)[operation]()).toEqual(NOT_UNDERSTOOD);
      expect(payments.breakers().map(({ state }) => state)).toEqual(
        payments.breakers().map(() => 'closed'),
      );
    },
  );

  test.each([
    { id: 7 },
    { id: 'pi_\u0000' },
    { amount: '2400' },
    { currency: null },
    { created: 1e15 },
    { status: 'succeeded', latest_charge: 'ch_1' },
    { status: 'succeeded', latest_charge: { amount_captured: 'all' } },
  ])('a payment with %j is not understood', async (odd) => {
    const { payments } = await gatewaysTo({ status: 200, body: () => ({ ...INTENT, ...odd }) });
    expect(await payments.lookUpReference('pi_1')).toEqual(NOT_UNDERSTOOD);
  });

  test.each([null, 'reversed', 7])('a refund of status %j is not understood', async (status) => {
    const refund = { id: 're_1', object: 'refund', status, metadata: { intent_key: 'k' } };
    const body = () => ({ object: 'list', data: [refund], has_more: false });
    const { payments } = await gatewaysTo({ status: 200, body });
    const amount = { amountMinor: 100, currency: 'EUR' };
    const outcome = await payments.refund({ key: 'k', orderId, reference: 'pi_1', amount });
    expect(outcome).toEqual(NOT_UNDERSTOOD);
  });

  test.each([
    ['an unknown status', { status: 'new' }, { subject: 'pi_1', orderId }],
    ['no currency', { currency: null }, { subject: 'pi_1', orderId }],
    ['no id', { id: null }, { subject: null, orderId }],
  ])('a listed payment with %s is named, and the others are compared', async (_, odd, named) => {
    const data = [
      { ...INTENT, ...odd },
      { ...INTENT, id: 'pi_2' },
    ];
    const body = () => ({ object: 'list', data, has_more: false });
    const { payments } = await gatewaysTo({ status: 200, body });
    expect(await payments.listPayments(WINDOW)).toMatchObject({
      kind: 'page',
      payments: [{ reference: 'pi_2' }],
      unreadable: [named],
    });
  });

  test('a listed refund of a payment that cannot be read is named', async () => {
    const refund = { object: 'refund', metadata: { order_id: orderId } };
    const data = [
      { ...refund, id: 're_1', payment_intent: 7 },
      { ...refund, id: 're_2', payment_intent: 'pi_2' },
      { ...refund, id: 're_3', payment_intent: null },
    ];
    const body = () => ({ object: 'list', data, has_more: false });
    const { payments } = await gatewaysTo({ status: 200, body });
    expect(await payments.listRefunds(WINDOW)).toEqual({
      kind: 'page',
      references: ['pi_2'],
      unreadable: [{ subject: 're_1', orderId }],
      next: null,
    });
  });

  test.each([{}, { data: {} }, { data: [], has_more: 'no' }, { data: [{}], has_more: true }])(
    'the page %j is not understood',
    async (page) => {
      const { payments } = await gatewaysTo({ status: 200, body: () => page });
      expect(await payments.listPayments(WINDOW)).toEqual(NOT_UNDERSTOOD);
      expect(await payments.listRefunds(WINDOW)).toEqual(NOT_UNDERSTOOD);
    },
  );
});
