import { afterAll, expect, test } from 'vitest';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { runRecovery } from '../../services/recovery.ts';
import { expectInvariants } from '../support/invariants.ts';
import { heldMugs, passDeadline } from '../support/orders.ts';
import { problemOf } from '../support/responses.ts';
import { paymentEffects, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';
import * as waiting from './waiting-order.ts';
import { CHALLENGED, EXPIRED, type Waiting } from './waiting-order.ts';

const EVERY_ORDER = { olderThanMs: 0, expiryGraceMs: 0, batch: 100, recheckMs: 0 };

const shop = useShop();
const waitingOrder = () => waiting.waitingOrder(shop);
const answer = (order: Waiting) => waiting.answer(shop, order);
const confirm = (id: string) => waiting.confirm(shop, id);
const recordsOf = (id: string) => waiting.recordsOf(shop, id);
const sweep = (id: Waiting['id'], payments?: PaymentGateway) => waiting.sweep(shop, id, payments);

afterAll(() => expectInvariants(shop.db));

test('an unconfirmed payment is ended and the order expires: 409 for the confirmation and for the key', async () => {
  const held = await heldMugs(shop.db);
  const order = await waitingOrder();
  await passDeadline(shop.db, order.id);
  expect(await sweep(order.id)).toMatchObject({ kind: 'not_waiting' });
  expect(await recordsOf(order.id)).toEqual(EXPIRED);
  expect(await heldMugs(shop.db)).toBe(held);
  expect(paymentEffects(shop, order.id)).toEqual({});
  expect(await answer(order)).toBe(400);
  for (const response of [
    await confirm(order.id),
    await shop.place({ payment_method: CHALLENGED }, order.key),
  ]) {
    const expired = { status: 409, code: 'order_expired', order_id: order.id };
    expect(await problemOf(response)).toMatchObject(expired);
  }
  const event = await shop.db.event.findFirstOrThrow({
    where: { orderId: order.id, type: 'order.expired' },
  });
  expect(event.data).toEqual({ cause: 'payment_action' });
});

test('an unconfirmed payment is ended by the first look-up after the deadline', async () => {
  const [asked, recovered] = [await waitingOrder(), await waitingOrder()];
  for (const { id } of [asked, recovered]) await passDeadline(shop.db, id);
  expect((await problemOf(await confirm(asked.id))).code).toBe('order_expired');
  await runRecovery(shop.services, { ...EVERY_ORDER, expiryGraceMs: 3_600_001 });
  for (const { id } of [asked, recovered]) expect(await recordsOf(id)).toEqual(EXPIRED);
});

test('a payment that is confirmed while it is being ended is voided', async () => {
  const order = await waitingOrder();
  await passDeadline(shop.db, order.id);
  const { payments } = shop.gateways;
  const raced: PaymentGateway = {
    ...payments,
    async voidAuthorization(request) {
      expect(await answer(order)).toBe(200);
      expect((await confirm(order.id)).status).toBe(409);
      return payments.voidAuthorization(request);
    },
  };
  await sweep(order.id, raced);
  expect(await recordsOf(order.id)).toEqual({
    order: 'expired',
    payment: 'voided',
    operations: ['authorize requested', 'authorize succeeded', 'void requested', 'void succeeded'],
    events: EXPIRED.events,
  });
  expect(paymentEffects(shop, order.id)).toEqual({ authorize: 1, void: 1 });
});

test('a payment that is confirmed at its deadline places the order or is voided, never both', async () => {
  for (const _ of times(4, () => undefined)) {
    const order = await waitingOrder();
    await passDeadline(shop.db, order.id);
    await Promise.all([answer(order), sweep(order.id), confirm(order.id), confirm(order.id)]);
    await confirm(order.id);
    const effects = paymentEffects(shop, order.id);
    const { order: status } = await recordsOf(order.id);
    if (status === 'placed') expect(effects).toEqual({ authorize: 1 });
    else expect([status, effects['authorize'] ?? 0]).toEqual(['expired', effects['void'] ?? 0]);
  }
});

test('a payment that the provider never judges waits until its deadline and is ended then', async () => {
  const order = await waitingOrder();
  const { payments } = shop.gateways;
  const undecided: PaymentGateway = {
    ...payments,
    async lookUp(request) {
      const found = await payments.lookUp(request);
      if (found.kind !== 'found') return found;
      return { ...found, payment: { ...found.payment, state: 'processing' } };
    },
  };
  const services = { ...shop.services, payments: undecided };
  await runRecovery(services, EVERY_ORDER);
  expect((await recordsOf(order.id)).order).toBe('pending');
  await passDeadline(shop.db, order.id);
  expect(await sweep(order.id, undecided)).toMatchObject({ kind: 'not_waiting' });
  expect(await recordsOf(order.id)).toEqual(EXPIRED);
});
