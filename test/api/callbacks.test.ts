import Stripe from 'stripe';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { runRecovery } from '../../services/recovery.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { CALLBACK_SECRET, useShop, WEBHOOK_SECRET } from '../support/shop.ts';
import { times } from '../support/times.ts';

const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100 };

const shop = useShop();

function send(body: string, id: string, signed: { at?: Date; secret?: string } = {}) {
  const { at = new Date(), secret = CALLBACK_SECRET } = signed;
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
  return shop.request('POST', '/callbacks/warehouse', { role: null, body, headers });
}

async function shipped(): Promise<{ body: string; orderId: string }> {
  const { id: orderId } = await orderOf(await shop.place());
  const data = {
    correlation_id: `${orderId}.ship`,
    order_id: orderId,
    carrier: 'Test Parcel',
    tracking_number: 'TP-1',
  };
  return { body: JSON.stringify({ type: 'shipment.shipped', data }), orderId };
}

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

  test('a signed callback of an unknown type returns 200, is stored without its payload, and reaches no workflow', async () => {
    expect((await send('{"type":"parcel.weighed"}', 'msg-other')).status).toBe(200);
    expect(await stored('msg-other')).toMatchObject([{ outcome: 'unrecognized', payload: {} }]);
    expect(shop.checkouts.answers).toEqual([]);
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
  const sendEvent = (payload: string, secret = WEBHOOK_SECRET) => {
    const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret });
    const headers = { 'stripe-signature': signature };
    return shop.request('POST', '/callbacks/payments', { role: null, body: payload, headers });
  };

  test('a payment webhook that is delivered three times is stored once', async () => {
    for (const _ of [1, 2, 3]) expect((await sendEvent(event())).status).toBe(200);
    expect(await stored('evt_1')).toMatchObject([
      { source: 'payments', payload: { reference: 'pi_1' } },
    ]);
  });

  test('a payment webhook with a wrong signature returns 401, and an unreadable one is a malformed_message', async () => {
    expect((await problemOf(await sendEvent(event(), 'whsec_other'))).status).toBe(401);
    expect((await problemOf(await sendEvent('{"id":7}'))).code).toBe('malformed_message');
  });
});
