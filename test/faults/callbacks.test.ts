import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { runRecovery } from '../../services/recovery.ts';
import type { NetworkFault } from '../../tools/chaos/network-fault.ts';
import { problemOf } from '../support/responses.ts';
import { CALLBACK_SECRET, WEBHOOK_SECRET } from '../support/shop.ts';
import { eventually } from '../support/eventually.ts';
import { cell } from './matrix-case.ts';
import { openProxiedShop, type ProxiedShop } from './proxied-shop.ts';

const NOW = { olderThanMs: 0, expiryGraceMs: 0, batch: 100, eventsKeptDays: 90 };
const STORING = Buffer.from('"inbox"');

let shop: ProxiedShop;
beforeAll(async () => {
  shop = await openProxiedShop();
});
afterEach(() => {
  shop.proxy.clearFaults();
  shop.checkouts.answers.length = 0;
});
afterAll(() => shop.close());

/** A callback about an order of its own, as the warehouse would send it. */
async function callback(id: string) {
  const orderId = await eventually(async () => {
    const bought = await shop.buy(`order of ${id}`);
    expect(bought.status).toBe(201);
    return (await shop.orderOfKey(`order of ${id}`)) ?? '';
  });
  const data = {
    correlation_id: `${orderId}.ship`,
    order_id: orderId,
    carrier: 'Test Parcel',
    tracking_number: 'TP-1',
  };
  const body = JSON.stringify({ type: 'shipment.shipped', data });
  return { orderId, send: (at = new Date()) => send({ id, body, at }) };
}

function send({ id, body, at }: { id: string; body: string; at: Date }): Promise<Response> {
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(CALLBACK_SECRET).sign(id, at, body),
  };
  return Promise.resolve(shop.ask('POST', '/callbacks/warehouse', { role: null, body, headers }));
}

const stored = (id: string) => shop.direct.inboxMessage.findMany({ where: { id } });

/** The sender that got no 2xx sends it again until it does. */
async function untilTaken(again: () => Promise<Response>): Promise<void> {
  await eventually(async () => expect((await again()).status).toBe(200), {
    everyMs: 100,
    timeoutMs: 20_000,
  });
}

describe('a warehouse callback during database faults', () => {
  const cut: NetworkFault = {
    kind: 'cut_on',
    direction: 'to_server',
    pattern: STORING,
    deliver: false,
    times: 1,
  };

  cell(
    'CB/F1',
    'a callback cut off before it is stored gets 503 and is delivered when sent again',
    async (proof) => {
      const { send: again, orderId } = await callback('not-stored');
      const before = shop.proxy.counts().cut_on;
      shop.proxy.inject(cut);
      expect((await problemOf(await again())).status).toBe(503);
      proof.fired(shop.proxy.counts().cut_on - before);
      expect(await stored('not-stored')).toEqual([]);
      await untilTaken(again);
      expect(shop.checkouts.answers.map((each) => each.orderId)).toEqual([orderId]);
    },
  );

  const known =
    'a callback cut off after it is stored gets 503 and is delivered once when sent again';
  cell('CB/F2', known, async (proof) => {
    const { send: again, orderId } = await callback('stored');
    const before = shop.proxy.counts().cut_on;
    const pattern = Buffer.from('INSERT 0 1\0', 'latin1');
    shop.proxy.inject({ ...cut, direction: 'to_client', pattern });
    expect((await problemOf(await again())).status).toBe(503);
    proof.fired(shop.proxy.counts().cut_on - before);
    expect(await stored('stored')).toMatchObject([{ processedAt: null }]);
    await untilTaken(again);
    await eventually(async () => {
      await runRecovery(shop.services, NOW);
      expect(await stored('stored')).toMatchObject([{ outcome: 'delivered' }]);
    });
    expect(shop.checkouts.answers.map((each) => each.orderId)).toEqual([orderId]);
  });

  cell(
    'CB/F3',
    'a callback during a silent database gets 503 and is delivered once when sent again',
    async (proof) => {
      const { send: again } = await callback('silent');
      const before = shop.proxy.counts().swallow;
      shop.proxy.inject({ kind: 'swallow', direction: 'to_client' });
      expect((await problemOf(await again())).status).toBe(503);
      proof.fired(shop.proxy.counts().swallow - before);
      shop.proxy.clearFaults();
      await untilTaken(again);
      await eventually(async () => {
        await runRecovery(shop.services, NOW);
        expect(await stored('silent')).toMatchObject([{ outcome: 'delivered' }]);
      });
      expect(shop.checkouts.answers).toHaveLength(1);
    },
  );

  cell(
    'CB/F4',
    'a callback sent twenty times concurrently gets 200 each time and is delivered once',
    async (proof) => {
      const { send: again } = await callback('twenty');
      const answers = await Promise.all(Array.from({ length: 20 }, () => again()));
      proof.fired(answers.length - 1);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(await stored('twenty')).toHaveLength(1);
      expect(shop.checkouts.answers).toHaveLength(1);
    },
  );
});

describe('clock skew', () => {
  const off = (seconds: number): Date => new Date(Date.now() + seconds * 1_000);

  cell(
    'infra/clock',
    'a warehouse callback is accepted at 4 minutes of clock skew and rejected at 6',
    async (proof) => {
      const taken = await callback('clock-near');
      for (const seconds of [-240, 240]) {
        expect((await taken.send(off(seconds))).status).toBe(200);
      }
      const refused = await callback('clock-far');
      for (const seconds of [-360, 360, -3_600, 3_600]) {
        const { code } = await problemOf(await refused.send(off(seconds)));
        expect(code).toBe('invalid_signature');
        proof.fired(1);
      }
      expect(await stored('clock-far')).toEqual([]);
    },
  );

  cell(
    'infra/clock',
    'a payment webhook is accepted when it is 4 minutes old and rejected at 6',
    async (proof) => {
      const payload = JSON.stringify({
        id: 'evt_clock',
        object: 'event',
        type: 'customer.created',
        data: { object: { object: 'customer', id: 'cus_1' } },
      });
      for (const [seconds, status] of [
        [-360, 401],
        [-3_600, 401],
        [-240, 200],
      ] as const) {
        const timestamp = Math.floor(off(seconds).getTime() / 1_000);
        const signature = Stripe.webhooks.generateTestHeaderString({
          payload,
          secret: WEBHOOK_SECRET,
          timestamp,
        });
        const headers = { 'stripe-signature': signature };
        const asked = { role: null, body: payload, headers };
        const answer = await shop.ask('POST', '/callbacks/payments', asked);
        expect(answer.status, `${seconds} s`).toBe(status);
        proof.fired(1);
      }
    },
  );
});
