import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runRecovery } from '../../services/recovery.ts';
import { problemOf } from '../support/responses.ts';
import { placedOrder } from '../support/orders.ts';
import {
  sendCallback,
  sendPaymentWebhook,
  shippedBody,
  passWebhooks,
} from '../support/provider-messages.ts';
import { useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100 };

const shop = useShop();

const send = (body: string, id: string, signed: { at?: Date; secret?: string } = {}) =>
  sendCallback(shop, { id, body }, signed);

async function shipped(): Promise<{ body: string; orderId: string }> {
  const orderId = await placedOrder(shop);
  return { body: shippedBody(orderId), orderId };
}

/** Each is no carrier or no tracking number that can be kept. */
const UNCLEAR: readonly object[] = [
  { tracking_number: undefined },
  { tracking_number: 7 },
  { tracking_number: '' },
  { tracking_number: 'x'.repeat(201) },
  { tracking_number: 'TP\u00001' },
  { tracking_number: 'TP\ud8001' },
  { tracking_number: 'TP\r\nBcc: someone' },
  { carrier: null },
  { carrier: '\u200b' },
  { correlation_id: 'x'.repeat(500) },
];

async function expectKept(
  id: string,
  expected: { readonly body: string; readonly outcome: string; readonly type: string },
): Promise<void> {
  const { body, ...rest } = expected;
  const [message] = await stored(id);
  expect(message).toMatchObject({ ...rest, processedAt: expect.any(Date) });
  expect(Buffer.from(message?.body ?? []).toString()).toBe(body);
  expect(shop.logged.join()).toContain(id);
}

async function countedMessages(source: string): Promise<number> {
  const name = 'holdfast_messages_not_understood_total';
  const metric = await shop.services.metrics.registry.getSingleMetric(name)?.get();
  return metric?.values.find(({ labels }) => labels['source'] === source)?.value ?? 0;
}

/** As it stands within a JSON text. */
const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);

const stored = (id: string) => shop.db.inboxMessage.findMany({ where: { id } });

describe("the warehouse's callback", () => {
  test('a warehouse callback is stored, passed to the workflow, and marked as delivered', async () => {
    const { body, orderId } = await shipped();
    expect((await send(body, 'msg-1')).status).toBe(200);
    expect(shop.checkouts.answers).toEqual([
      {
        orderId,
        answered: {
          correlationId: `${orderId}.ship`,
          answer: { kind: 'shipped', carrier: 'Test Parcel', trackingNumber: 'TP-1' },
        },
      },
    ]);
    expect(await stored('msg-1')).toMatchObject([{ orderId, outcome: 'delivered' }]);
  });

  test('a warehouse callback sent 20 times at once is stored and delivered once, and every call returns 200', async () => {
    const { body } = await shipped();
    const responses = await Promise.all(times(20, () => send(body, 'msg-20')));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(shop.checkouts.answers).toHaveLength(1);
    expect(await stored('msg-20')).toHaveLength(1);
  });

  test('signed callbacks that name another shipping request become no signal, whatever they name', async () => {
    const { body, orderId } = await shipped();
    const other = (await shipped()).orderId;
    const foreign = fc.oneof(
      fc.constantFrom(
        `${orderId}.SHIP`,
        `${orderId}.ship `,
        ` ${orderId}.ship`,
        `${orderId}.ship.1`,
        `${other}.ship`,
        orderId,
        '.ship',
      ),
      fc.stringMatching(/^[!-~]{1,200}$/),
    );
    const ids = fc.sample(foreign, { numRuns: 200, seed: 13 });
    await Promise.all(
      ids.map((id, n) =>
        send(
          body.replace(`${orderId}.ship`, () => escaped(id)),
          `foreign-${n}`,
        ),
      ),
    );
    expect(shop.checkouts.answers).toEqual([]);
    const kept = await shop.db.inboxMessage.findMany({ where: { id: { startsWith: 'foreign-' } } });
    expect(kept).toHaveLength(200);
    expect(kept.every(({ processedAt }) => processedAt !== null)).toBe(true);
    await send(body, 'own');
    expect(shop.checkouts.answers).toMatchObject([{ orderId }]);
  });

  test('two hundred different callbacks about one request at once become one signal', async () => {
    const { body } = await shipped();
    const answers = await Promise.all(times(200, (n) => send(body, `flood-${n}`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(shop.checkouts.answers).toHaveLength(1);
  });

  test('a warehouse callback received while Temporal is unavailable is delivered by a later recovery pass', async () => {
    const { body } = await shipped();
    shop.checkouts.reachable = false;
    expect((await send(body, 'msg-kept')).status).toBe(200);
    expect((await runRecovery(shop.services, NOW)).delivered).toBe(0);
    expect(await stored('msg-kept')).toMatchObject([{ processedAt: null }]);
    shop.checkouts.reachable = true;
    expect((await runRecovery(shop.services, NOW)).delivered).toBe(1);
    expect(await stored('msg-kept')).toMatchObject([{ outcome: 'delivered' }]);
  });

  test('a signed callback of an unknown type is acknowledged, kept whole, logged, and reaches no workflow', async () => {
    const body = '{"type":"parcel.weighed","data":{"grams":7}}';
    expect((await send(body, 'msg-other')).status).toBe(200);
    await expectKept('msg-other', { body, outcome: 'not_understood', type: 'parcel.weighed' });
    expect(shop.checkouts.answers).toEqual([]);
    expect(shop.checkouts.lookUps).toEqual([]);
  });

  test.each(UNCLEAR)(
    'a shipped callback with %j is kept whole, counted, and makes the workflow look the shipment up once',
    async (odd) => {
      const { orderId, body: clear } = await shipped();
      const { data } = JSON.parse(clear);
      const body = JSON.stringify({ type: 'shipment.shipped', data: { ...data, ...odd } });
      const before = await countedMessages('warehouse');
      expect((await send(body, `${orderId}-1`)).status).toBe(200);
      await expectKept(`${orderId}-1`, { body, outcome: 'looked_up', type: 'shipment.shipped' });
      expect((await send(body, `${orderId}-2`)).status).toBe(200);
      await expectKept(`${orderId}-2`, {
        body,
        outcome: 'not_understood',
        type: 'shipment.shipped',
      });
      expect(shop.checkouts.lookUps).toEqual([orderId]);
      expect(await countedMessages('warehouse')).toBe(before + 2);
      // The answer itself still counts, and its bytes need not be kept.
      expect((await send(clear, `${orderId}-3`)).status).toBe(200);
      expect(await stored(`${orderId}-3`)).toMatchObject([{ outcome: 'delivered', body: null }]);
    },
  );

  test('a callback that is not understood while Temporal is unavailable is looked up by a later pass', async () => {
    const { orderId } = await shipped();
    const body = JSON.stringify({ type: 'shipment.shipped', data: { order_id: orderId } });
    shop.checkouts.reachable = false;
    expect((await send(body, 'msg-unclear')).status).toBe(200);
    expect(await stored('msg-unclear')).toMatchObject([{ processedAt: null }]);
    shop.checkouts.reachable = true;
    await runRecovery(shop.services, NOW);
    await expectKept('msg-unclear', { body, outcome: 'looked_up', type: 'shipment.shipped' });
    expect(shop.checkouts.lookUps).toEqual([orderId]);
  });

  test('a genuine message of 300 kB is acknowledged and kept', async () => {
    const body = JSON.stringify({ type: 'parcel.photographed', data: 'x'.repeat(300_000) });
    expect((await send(body, 'msg-long')).status).toBe(200);
    await expectKept('msg-long', { body, outcome: 'not_understood', type: 'parcel.photographed' });
  });

  test('a signed callback of any bytes is acknowledged and kept as it was', async () => {
    let sent = 0;
    const bytes = fc.oneof(fc.json(), fc.string(), fc.string({ unit: 'binary' }));
    const run = fc.asyncProperty(bytes, async (body) => {
      const id = `msg-any-${(sent += 1)}`;
      expect((await send(body, id)).status).toBe(200);
      const [message] = await stored(id);
      expect(Buffer.from(message?.body ?? []).equals(Buffer.from(body))).toBe(true);
    });
    await fc.assert(run, { numRuns: 15 });
  });

  test('a warehouse callback with a wrong secret, an old timestamp, or no signature is rejected and not stored', async () => {
    const { body } = await shipped();
    const other = `whsec_${Buffer.from('somebody else entirely').toString('base64')}`;
    const old = new Date(Date.now() - 600_000);
    for (const response of [
      await send(body, 'msg-bad', { secret: other }),
      await send(body, 'msg-bad', { at: old }),
      await shop.request('POST', '/callbacks/warehouse', { role: null, body }),
    ]) {
      expect(response.headers.get('www-authenticate')).toBe('Signature realm="holdfast"');
      expect((await problemOf(response)).code).toBe('invalid_signature');
    }
    expect(await stored('msg-bad')).toEqual([]);
  });
});

describe("the payment provider's webhook", () => {
  const event = (changes: object = {}) =>
    JSON.stringify({
      id: 'evt_1',
      object: 'event',
      type: 'payment_intent.amount_capturable_updated',
      data: { object: { object: 'payment_intent', id: 'pi_1', metadata: {} } },
      ...changes,
    });
  const sendEvent = (payload: string, secret?: string) =>
    sendPaymentWebhook(shop, payload, { secret });

  test('a payment webhook that is delivered three times is stored once', async () => {
    for (const _ of [1, 2, 3]) expect((await sendEvent(event())).status).toBe(200);
    expect(await stored('evt_1')).toMatchObject([
      { source: 'payments', payload: { reference: 'pi_1' } },
    ]);
  });

  test('a payment webhook with a wrong signature returns 401 and is not stored', async () => {
    expect((await problemOf(await sendEvent(event({ id: 'evt_2' }), 'whsec_other'))).status).toBe(
      401,
    );
    expect(await stored('evt_2')).toEqual([]);
  });

  test.each([
    ['balance.available', { object: 'balance', available: [] }, 'ignored'],
    ['payment_intent.succeeded', { object: 'payment_intent', id: 7 }, 'not_understood'],
    ['charge.refunded', { object: 'charge', amount_refunded: 'all' }, 'not_understood'],
    ['payment_intent.succeeded', null, 'not_understood'],
  ])(
    'a genuine %s event about %j is acknowledged, kept whole, and %s',
    async (type, object, outcome) => {
      const id = `evt_${type}_${JSON.stringify(object)}`.replaceAll(/\W/g, '');
      const before = await countedMessages('payments');
      const payload = event({ id, type, data: { object } });
      expect((await sendEvent(payload)).status).toBe(200);
      await passWebhooks(shop);
      const [message] = await stored(id);
      expect(message).toMatchObject({ type, outcome });
      expect(Buffer.from(message?.body ?? []).toString()).toBe(payload);
      const counted = outcome === 'not_understood' ? 1 : 0;
      expect(await countedMessages('payments')).toBe(before + counted);
    },
  );

  test.each(['{"id":7}', '', 'not json', '[]', '{"type":"balance.available"}'])(
    'a genuine payload %j without an id is acknowledged and kept once',
    async (payload) => {
      for (const _ of [1, 2]) expect((await sendEvent(payload)).status).toBe(200);
      const body = Buffer.from(payload);
      const kept = await shop.db.inboxMessage.findMany({ where: { source: 'payments', body } });
      expect(kept).toHaveLength(1);
      expect(kept[0]?.id).toMatch(/^sha256\//);
    },
  );
});
