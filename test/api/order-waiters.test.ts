import { expect, test } from 'vitest';
import { storedKey } from '../../api/http/idempotency-key.ts';
import { createOrderWaiters, type OrderWaiters } from '../../services/order-waiters.ts';
import { isOrderId, type OrderId } from '../../domain/ids.ts';
import { recordDeclined, recordPlaced } from '../../prisma/orders/settle-order.ts';
import { findOrder } from '../../prisma/orders/orders.ts';
import { problemOf } from '../support/responses.ts';
import { useShop } from '../support/shop.ts';

const NEVER_MS = 600_000;

const shop = useShop();

/** Waiters that would not notice anything by polling while a test lasts. */
function withoutPolling(limits: { maxWaiters?: number; maxPerKey?: number } = {}): OrderWaiters {
  const { db, notifications } = shop.services;
  return createOrderWaiters({ db, notifications, pollMs: NEVER_MS, ...limits });
}

async function pending(): Promise<OrderId> {
  const authorize = { provider: 'payments', operation: 'authorize' } as const;
  shop.sandbox.faults.set(authorize, { mode: 'fail_before', times: 1 });
  const key = crypto.randomUUID();
  expect((await problemOf(await shop.place({}, key))).code).toBe('payment_unavailable');
  const { orderId } = await shop.db.idempotencyKey.findFirstOrThrow({
    where: { key: storedKey(key) },
  });
  if (orderId === null || !isOrderId(orderId)) throw new Error('the key names no order');
  return orderId;
}

async function settle(id: OrderId, how: 'placed' | 'declined'): Promise<void> {
  const order = await findOrder(shop.db, id);
  if (!order) throw new Error('the order is there');
  const response = { status: 402, body: '{}' };
  if (how === 'declined')
    await recordDeclined(shop.db, order, { code: 'x', reference: null, response });
  else await recordPlaced(shop.db, order, { reference: id, response: () => response });
}

test('a waiter is woken without polling when its order is settled', async () => {
  const waiters = withoutPolling();
  const id = await pending();
  const { signal } = new AbortController();
  const waiting = waiters.untilSettled(id, { apiKeyId: 'key', waitMs: NEVER_MS, signal });
  await settle(id, 'declined');
  expect(await waiting).toBe(true);
  waiters.close();
});

test('a waiter keeps waiting while its order changes without being settled, until its request is aborted', async () => {
  const waiters = withoutPolling();
  const id = await pending();
  const leaving = new AbortController();
  let ended = false;
  const waiting = waiters
    .untilSettled(id, { apiKeyId: 'key', waitMs: NEVER_MS, signal: leaving.signal })
    .then(() => (ended = true));
  await settle(id, 'placed');
  const other = await pending();
  const otherWaiting = waiters.untilSettled(other, {
    apiKeyId: 'key',
    waitMs: NEVER_MS,
    signal: leaving.signal,
  });
  await settle(other, 'declined');
  await otherWaiting;
  expect(ended).toBe(false);
  leaving.abort();
  await waiting;
  waiters.close();
});

test('a waiter over the limit returns without waiting', async () => {
  const waiters = withoutPolling({ maxWaiters: 1 });
  const id = await pending();
  const { signal } = new AbortController();
  const options = { apiKeyId: 'key', waitMs: NEVER_MS, signal };
  const first = waiters.untilSettled(id, options);
  expect(await waiters.untilSettled(id, options)).toBe(false);
  waiters.close();
  await first;
});

test('one API key cannot take all waits: beyond its own limit it does not wait, and others do', async () => {
  const waiters = withoutPolling({ maxWaiters: 10, maxPerKey: 2 });
  const id = await pending();
  const { signal } = new AbortController();
  const wait = (apiKeyId: string) =>
    waiters.untilSettled(id, { apiKeyId, waitMs: NEVER_MS, signal });
  const waiting = [wait('greedy'), wait('greedy')];
  for (let more = 0; more < 20; more += 1) await wait('greedy');
  let ended = false;
  waiting.push(wait('other').then(() => (ended = true)));
  await wait('greedy');
  expect(ended).toBe(false);
  waiters.close();
  await Promise.all(waiting);
});
