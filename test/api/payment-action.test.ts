import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { storedKey } from '../../api/http/idempotency-key.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { newId } from '../../prisma/client/ids.ts';
import { runRecovery } from '../../services/recovery.ts';
import { apiOf, orderBody, placeOrder } from '../support/client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { heldMugs, passDeadline, passLease } from '../support/orders.ts';
import { orderOf, problemOf } from '../support/responses.ts';
import { paymentEffects, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';
import * as waiting from './waiting-order.ts';
import { CHALLENGED, ENDED, everyRow, PLACED, type Waiting } from './waiting-order.ts';

const LOOK_UP = { provider: 'payments', operation: 'lookup' } as const;
const VOID = { provider: 'payments', operation: 'void' } as const;
const AUTHORIZE = { provider: 'payments', operation: 'authorize' } as const;
/** The bank asks the shopper, and declines all the same. */
const CHALLENGED_THEN_DECLINED = 'pm_card_threeDSecureRequiredChargeDeclined';
const EVERY_ORDER = { olderThanMs: 0, expiryGraceMs: 0, batch: 100, recheckMs: 0 };

const shop = useShop();
const waitingOrder = (changes?: object, key?: string) => waiting.waitingOrder(shop, changes, key);
const answer = (order: Waiting, outcome?: 'authenticated' | 'failed') =>
  waiting.answer(shop, order, outcome);
const confirm = (id: string) => waiting.confirm(shop, id);
const webhook = (order: Waiting, type: string) => waiting.webhook(shop, order, type);
const outcomeOf = (eventId: string) => waiting.outcomeOf(shop, eventId);
const recordsOf = (id: string) => waiting.recordsOf(shop, id);
const sweep = (id: Waiting['id'], payments?: PaymentGateway) => waiting.sweep(shop, id, payments);

async function placedOnce(order: Waiting): Promise<void> {
  expect(await recordsOf(order.id)).toEqual(PLACED);
  expect(paymentEffects(shop, order.id)).toEqual({ authorize: 1 });
  await shop.services.starter.drain();
  const starts = shop.checkouts.started.filter(({ orderId }) => orderId === order.id);
  expect(starts).toHaveLength(1);
  const replayed = await shop.place({ payment_method: CHALLENGED }, order.key);
  expect([replayed.status, (await orderOf(replayed)).id]).toEqual([201, order.id]);
}

afterAll(() => expectInvariants(shop.db));

describe('an order whose payment the shopper has to confirm', () => {
  test('an order to be confirmed is answered with 202 and what the page needs, keeps its units, and starts nothing', async () => {
    const held = await heldMugs(shop.db);
    const { id, action, response } = await waitingOrder();
    expect(response.headers.get('location')).toBe(`/v1/orders/${id}`);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(action).toMatchObject({ total_minor: 1_200, next_action: { type: 'use_stripe_sdk' } });
    expect(Date.parse(action.expires_at) - Date.now()).toBeGreaterThan(14 * 60_000);
    expect(Date.parse(action.expires_at) - Date.now()).toBeLessThan(16 * 60_000);
    expect(await heldMugs(shop.db)).toBe(held + 1);
    expect(await recordsOf(id)).toEqual({
      order: 'pending',
      payment: 'requires_action',
      operations: ['authorize requested'],
      events: ['order.created', 'order.payment_action_required'],
    });
    expect(paymentEffects(shop, id)).toEqual({});
    expect(shop.checkouts.started).toEqual([]);
    const view = await shop.request('GET', `/v1/orders/${id}`);
    expect(await view.json()).toMatchObject({
      status: 'pending',
      payment: { status: 'requires_action', action_expires_at: action.expires_at },
    });
  });

  test('every repeat of the request, and the confirmation, return the order as it is', async () => {
    const { id, key, action } = await waitingOrder();
    for (const response of [
      await shop.place({ payment_method: CHALLENGED }, key),
      await confirm(id),
      await shop.place({ payment_method: CHALLENGED }, key),
    ]) {
      expect([response.status, await response.json()]).toEqual([202, action]);
    }
    const other = await problemOf(await shop.place({ payment_method: 'pm_card_visa' }, key));
    expect(other.code).toBe('idempotency_key_reused');
    expect(paymentEffects(shop, id)).toEqual({});
  });

  test.each(['before', 'after'] as const)(
    'a crash %s the authorization leaves an order that its key continues under the same payment',
    async (when) => {
      const key = `challenged-${when}`;
      const { payments } = shop.gateways;
      const dying: PaymentGateway = {
        ...payments,
        async authorize(request) {
          if (when === 'after') await payments.authorize(request);
          throw new Error('the process died');
        },
      };
      const app = apiOf(createApp({ ...shop.services, payments: dying }));
      const changes = { payment_method: CHALLENGED };
      expect((await placeOrder(app, changes, { key })).status).toBe(500);
      await passLease(shop.db, key);
      const order = await waitingOrder({}, key);
      expect(await answer(order)).toBe(200);
      expect((await confirm(order.id)).status).toBe(200);
      await placedOnce(order);
    },
  );

  test('a wait is recorded even when the response of the authorization is lost', async () => {
    shop.sandbox.faults.set(AUTHORIZE, { mode: 'answer_lost', times: 1 });
    const order = await waitingOrder();
    expect(await recordsOf(order.id)).toMatchObject({ payment: 'requires_action' });
  });

  test('an order to be confirmed spends store credit, which comes back when it ends unpaid', async () => {
    const email = `${randomUUID()}@example.com`;
    const customer = { ...orderBody().customer, email };
    const granted = await shop.db.customer.create({
      data: { id: newId('customer'), email, name: 'Ada Example' },
    });
    await shop.request('POST', `/v1/customers/${granted.id}/credit`, {
      role: 'operator',
      key: randomUUID(),
      body: { amount_minor: 500, currency: 'EUR', reason: 'a gift' },
    });
    const balance = async () =>
      (await shop.db.creditAccount.findFirstOrThrow({ where: { customerId: granted.id } }))
        .balanceMinor;
    const failed = await waitingOrder({ customer, credit_minor: 500 });
    expect(await balance()).toEqual(0n);
    await answer(failed, 'failed');
    expect((await confirm(failed.id)).status).toBe(402);
    expect(await balance()).toEqual(500n);
    const order = await waitingOrder({ customer, credit_minor: 500 });
    await answer(order);
    expect((await confirm(order.id)).status).toBe(200);
    const [effect] = shop.sandbox.ledgers.payments.effectsOf(order.id);
    expect(effect).toMatchObject({ operation: 'authorize', amount_minor: 700 });
    expect(await balance()).toEqual(0n);
  });
});

describe('a confirmed payment', () => {
  test('a confirmed payment places the order when the storefront asks: 200 with the body that the key then gets with 201', async () => {
    const order = await waitingOrder();
    await answer(order);
    const [first, second] = [await confirm(order.id), await confirm(order.id)];
    expect([first.status, second.status]).toEqual([200, 200]);
    const body = await first.text();
    expect(await second.text()).toBe(body);
    await placedOnce(order);
    const replayed = await shop.place({ payment_method: CHALLENGED }, order.key);
    expect(await replayed.text()).toBe(body);
    const payment = await shop.db.payment.findUniqueOrThrow({ where: { orderId: order.id } });
    expect(payment.captureBefore?.getTime()).toBeGreaterThan(Date.now() + 6 * 86_400_000);
  });

  test('a confirmed payment places the order when only its webhook comes, however often', async () => {
    const order = await waitingOrder();
    await answer(order);
    const events = [];
    for (const _ of [1, 2, 3]) {
      events.push(await webhook(order, 'payment_intent.amount_capturable_updated'));
    }
    await placedOnce(order);
    for (const event of events) expect(await outcomeOf(event)).toBe('confirmed');
    expect((await confirm(order.id)).status).toBe(200);
  });

  test('a confirmed payment places the order by the look-up of recovery when nothing comes', async () => {
    const order = await waitingOrder();
    await answer(order);
    await runRecovery(shop.services, { ...EVERY_ORDER, recheckMs: 3_600_000 });
    expect((await recordsOf(order.id)).order).toBe('pending');
    expect((await runRecovery(shop.services, EVERY_ORDER)).notWaiting).toBeGreaterThan(0);
    await placedOnce(order);
  });

  test('a payment confirmed in time places the order and is not voided when only the sweep learns of it, after the deadline', async () => {
    const order = await waitingOrder();
    await answer(order);
    await passDeadline(shop.db, order.id);
    expect(await sweep(order.id)).toMatchObject({ kind: 'not_waiting' });
    expect(await recordsOf(order.id)).toEqual(PLACED);
    expect(paymentEffects(shop, order.id)).toEqual({ authorize: 1 });
  });

  test('a confirmed payment places the order once when every process learns of it at the same time', async () => {
    for (const isOverdue of [false, true]) {
      const order = await waitingOrder();
      await answer(order);
      if (isOverdue) await passDeadline(shop.db, order.id);
      await Promise.all([
        ...times(4, () => confirm(order.id)),
        ...times(3, () => webhook(order, 'payment_intent.amount_capturable_updated')),
        runRecovery(shop.services, EVERY_ORDER),
        sweep(order.id),
        shop.place({ payment_method: CHALLENGED }, order.key),
      ]);
      expect(await recordsOf(order.id)).toEqual(PLACED);
      expect(paymentEffects(shop, order.id)).toEqual({ authorize: 1 });
      expect((await confirm(order.id)).status).toBe(200);
    }
  });
});

describe('a payment that the shopper could not confirm', () => {
  test.each([
    ['the shopper fails', CHALLENGED, 'failed', 'payment_intent_authentication_failure'],
    ['the bank declines', CHALLENGED_THEN_DECLINED, 'authenticated', 'generic_decline'],
  ] as const)(
    'a wait in which %s declines the order for good, and the payment is ended',
    async (...[, card, outcome, code]) => {
      const held = await heldMugs(shop.db);
      const order = await waitingOrder({ payment_method: card });
      await answer(order, outcome);
      const problem = await problemOf(await confirm(order.id));
      expect(problem).toMatchObject({
        status: 402,
        code: 'payment_declined',
        decline_code: code,
      });
      const replayed = await problemOf(await shop.place({ payment_method: card }, order.key));
      expect(replayed).toEqual(problem);
      expect(await recordsOf(order.id)).toEqual({
        ...ENDED,
        order: 'declined',
        events: ['order.created', 'order.payment_action_required', 'order.declined'],
      });
      expect(await heldMugs(shop.db)).toBe(held);
      expect(await answer(order)).toBe(400);
      const found = await shop.gateways.payments.lookUpReference(order.reference);
      expect(found).toMatchObject({ payment: { state: 'voided' } });
    },
  );

  test('a failed payment declines the order when only its webhook comes', async () => {
    const order = await waitingOrder();
    await answer(order, 'failed');
    const failed = await webhook(order, 'payment_intent.payment_failed');
    expect((await recordsOf(order.id)).order).toBe('declined');
    const canceled = await webhook(order, 'payment_intent.canceled');
    expect([await outcomeOf(failed), await outcomeOf(canceled)]).toEqual([
      'confirmed',
      'confirmed',
    ]);
    expect((await confirm(order.id)).status).toBe(402);
  });

  test('an order stays declined when the response of its void is lost and the deadline passes meanwhile', async () => {
    const order = await waitingOrder();
    await answer(order, 'failed');
    shop.sandbox.faults.set(VOID, { mode: 'answer_lost', times: 1 });
    expect((await confirm(order.id)).status).toBe(503);
    expect((await recordsOf(order.id)).order).toBe('pending');
    await passDeadline(shop.db, order.id);
    expect((await confirm(order.id)).status).toBe(402);
    expect((await recordsOf(order.id)).events.at(-1)).toBe('order.declined');
  });
});

describe('without the payment provider', () => {
  test('nothing changes while the provider is away: 503 for the confirmation and for the key, and the next call settles', async () => {
    const order = await waitingOrder();
    await answer(order);
    shop.sandbox.faults.set(LOOK_UP, { mode: 'down' });
    for (const response of [
      await confirm(order.id),
      await shop.place({ payment_method: CHALLENGED }, order.key),
    ]) {
      expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await problemOf(response)).toMatchObject({ code: 'payment_unavailable' });
    }
    const event = await webhook(order, 'payment_intent.amount_capturable_updated');
    expect(await outcomeOf(event)).toBeNull();
    await passDeadline(shop.db, order.id);
    expect(await sweep(order.id)).toMatchObject({ kind: 'later' });
    expect((await recordsOf(order.id)).order).toBe('pending');
    shop.sandbox.faults.clear();
    expect((await confirm(order.id)).status).toBe(200);
    await placedOnce(order);
  });
});

describe('the confirmation', () => {
  test('the confirmation of an order that never waited gives its outcome', async () => {
    const placed = await shop.place();
    const { id } = await orderOf(placed.clone());
    const confirmed = await confirm(id);
    expect([confirmed.status, await confirmed.text()]).toEqual([200, await placed.text()]);
  });

  test('the confirmation of an unknown order is 404', async () => {
    const missing = 'ord_01k9zq3v5nfa3s4w1m6t2y8h7c';
    expect((await problemOf(await confirm(missing))).code).toBe('order_not_found');
  });
});

test('the secret of a payment is in no table, no log line and nothing that Temporal is given', async () => {
  const order = await waitingOrder();
  await webhook(order, 'payment_intent.requires_action');
  await confirm(order.id);
  await answer(order);
  await webhook(order, 'payment_intent.amount_capturable_updated');
  await shop.place({ payment_method: CHALLENGED }, order.key);
  await shop.services.starter.drain();
  const stored = await everyRow(shop);
  const bodies = await shop.db.inboxMessage.findMany({ where: { orderId: order.id } });
  const raw = bodies.map(({ body }) => Buffer.from(body ?? '').toString());
  expect(raw.join()).toContain('not kept');
  const key = await shop.db.idempotencyKey.findFirstOrThrow({
    where: { key: storedKey(order.key) },
  });
  expect(stored.join('\n')).toContain(key.key);
  const everything = [...stored, ...raw, ...shop.logged, JSON.stringify(shop.checkouts)];
  expect(everything.filter((text) => text.includes(order.secret))).toEqual([]);
});
