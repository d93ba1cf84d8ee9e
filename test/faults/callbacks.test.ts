import { afterEach, describe, expect } from 'vitest';
import { problemOf } from '../support/responses.ts';
import { placedOrder } from '../support/orders.ts';
import {
  sendCallback,
  sendPaymentWebhook,
  shippedBody,
  webhookPayload,
} from '../support/provider-messages.ts';
import { eventually } from '../support/eventually.ts';
import { test } from './matrix-case.ts';
import { cutAt, useProxiedShop } from './proxied-shop.ts';
import { recover } from './settling.ts';
import { times } from '../support/times.ts';

const BEFORE_STORE = cutAt('INSERT INTO inbox');
const STORE_RESPONSE_LOST = cutAt(Buffer.from('INSERT 0 1\0', 'latin1'), 'to_client');

const shop = useProxiedShop();
afterEach(() => {
  shop.proxy.clearFaults();
  shop.checkouts.answers.length = 0;
});

/** A callback about an order of its own, as the warehouse would send it. */
async function callback(id: string) {
  const orderId = await placedOrder(shop);
  const message = { id, body: shippedBody(orderId) };
  return { orderId, send: (at = new Date()) => sendCallback(shop, message, { at }) };
}

const stored = (id: string) => shop.direct.inboxMessage.findMany({ where: { id } });

/** The recovery delivers what is stored. */
async function untilDelivered(id: string): Promise<void> {
  await eventually(async () => {
    await recover(shop);
    expect(await stored(id)).toMatchObject([{ outcome: 'delivered' }]);
  });
}

/** A sender without a 2xx sends the callback again until it gets one. */
async function untilAccepted(resend: () => Promise<Response>): Promise<void> {
  await eventually(async () => expect((await resend()).status).toBe(200), {
    everyMs: 100,
    timeoutMs: 20_000,
  });
}

describe('a warehouse callback during database faults', () => {
  test('[CB/F1] a callback cut off before it is stored gets 503 and is delivered when sent again', async (proof) => {
    const { send, orderId } = await callback('not-stored');
    shop.inject(BEFORE_STORE);
    expect((await problemOf(await send())).status).toBe(503);
    proof.fired(shop.fired());
    expect(await stored('not-stored')).toEqual([]);
    await untilAccepted(send);
    expect(shop.checkouts.answers.map((each) => each.orderId)).toEqual([orderId]);
  });

  test('[CB/F2] a callback cut off after it is stored gets 503 and is delivered once when sent again', async (proof) => {
    const { send, orderId } = await callback('stored');
    shop.inject(STORE_RESPONSE_LOST);
    expect((await problemOf(await send())).status).toBe(503);
    proof.fired(shop.fired());
    expect(await stored('stored')).toMatchObject([{ processedAt: null }]);
    await untilAccepted(send);
    await untilDelivered('stored');
    expect(shop.checkouts.answers.map((each) => each.orderId)).toEqual([orderId]);
  });

  test('[CB/F3] a callback during a silent database gets 503 and is delivered once when sent again', async (proof) => {
    const { send } = await callback('silent');
    shop.inject({ kind: 'swallow', direction: 'to_client' });
    expect((await problemOf(await send())).status).toBe(503);
    proof.fired(shop.fired());
    shop.proxy.clearFaults();
    await untilAccepted(send);
    await untilDelivered('silent');
    expect(shop.checkouts.answers).toHaveLength(1);
  });

  test('[CB/F4] a callback sent twenty times concurrently gets 200 each time and is delivered once', async (proof) => {
    const { send } = await callback('twenty');
    const responses = await Promise.all(times(20, () => send()));
    proof.fired(responses.length - 1);
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await stored('twenty')).toHaveLength(1);
    expect(shop.checkouts.answers).toHaveLength(1);
  });
});

describe('clock skew', () => {
  const skewed = (seconds: number): Date => new Date(Date.now() + seconds * 1_000);

  test('[infra/clock] a warehouse callback is accepted at 4 minutes of clock skew and rejected at 6', async (proof) => {
    const accepted = await callback('clock-near');
    for (const seconds of [-240, 240]) {
      expect((await accepted.send(skewed(seconds))).status).toBe(200);
    }
    const refused = await callback('clock-far');
    for (const seconds of [-360, 360, -3_600, 3_600]) {
      const { code } = await problemOf(await refused.send(skewed(seconds)));
      expect(code).toBe('invalid_signature');
      proof.fired(1);
    }
    expect(await stored('clock-far')).toEqual([]);
  });

  test('[infra/clock] a payment webhook is accepted when it is 4 minutes old and rejected at 6', async (proof) => {
    const customer = { object: 'customer', id: 'cus_1' };
    const payload = webhookPayload('evt_clock', 'customer.created', customer);
    for (const [seconds, status] of [
      [-360, 401],
      [-3_600, 401],
      [-240, 200],
    ] as const) {
      const response = await sendPaymentWebhook(shop, payload, { at: skewed(seconds) });
      expect(response.status, `${seconds} s`).toBe(status);
      proof.fired(1);
    }
  });
});
