import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import {
  CALLBACK_SECRET,
  call,
  counted,
  openReceiver,
  openSandbox,
  reserveCall,
  shipCall,
} from './shop.ts';
import type { Answered, Received } from './shop.ts';

const SHIPMENT = '/warehouse/shipments/ord_1.ship';

test('a reservation is taken once, however often the same key asks', async () => {
  const sandbox = await openSandbox();
  expect(await reserve(sandbox)).toEqual({
    status: 201,
    body: { order_id: 'ord_1', state: 'reserved' },
  });
  expect(await reserve(sandbox)).toMatchObject({ status: 201 });
  expect(await reserve(sandbox, { quantity: 2 })).toMatchObject({ status: 422 });
  expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 1 });
});

test('a release lets a reservation go once', async () => {
  const sandbox = await openSandbox();
  await reserve(sandbox);
  expect(await release(sandbox)).toMatchObject({ status: 200, body: { state: 'released' } });
  expect(await release(sandbox)).toMatchObject({ status: 200, body: { state: 'released' } });
  expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 1, release: 1 });
});

test('a release before the reserve leaves a mark: the late reserve is refused', async () => {
  const sandbox = await openSandbox();
  expect(await release(sandbox)).toMatchObject({ status: 200, body: { state: 'released' } });
  expect(await reserve(sandbox)).toEqual({
    status: 409,
    body: { code: 'refused', reason: 'released' },
  });
  expect(counted(sandbox, 'warehouse')).toEqual({});
});

test('a cancel before the request leaves a mark: the late request is refused', async () => {
  const sandbox = await openSandbox();
  expect(await cancel(sandbox)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  expect(await ship(sandbox, 'http://127.0.0.1:9')).toEqual({
    status: 409,
    body: { code: 'refused', reason: 'cancelled' },
  });
  expect(await look(sandbox)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  expect(counted(sandbox, 'warehouse')).toEqual({});
});

test('a requested parcel can be cancelled, and then never leaves', async () => {
  const sandbox = await openSandbox({ callbackDelayMs: 60_000 });
  await ship(sandbox, 'http://127.0.0.1:9');
  expect(await look(sandbox)).toMatchObject({ body: { state: 'requested' } });
  expect(await cancel(sandbox)).toMatchObject({ status: 200 });
  expect(await cancel(sandbox)).toMatchObject({ status: 200 });
  expect(await look(sandbox)).toMatchObject({ body: { state: 'cancelled' } });
  expect(counted(sandbox, 'warehouse')).toEqual({ ship: 1, cancel: 1 });
});

test('goods that were let go are not shipped', async () => {
  const sandbox = await openSandbox();
  await reserve(sandbox);
  await release(sandbox);
  expect(await ship(sandbox, 'http://127.0.0.1:9')).toMatchObject({
    status: 409,
    body: { reason: 'released' },
  });
});

test('a parcel that left is told by a signed callback and cannot be cancelled', async () => {
  const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
  expect(await look(sandbox)).toMatchObject({ status: 404 });
  expect(await ship(sandbox, shop.url)).toEqual({
    status: 202,
    body: { correlation_id: 'ord_1.ship', state: 'requested' },
  });
  const callback = await eventually(() => first(shop.received));
  const data = {
    correlation_id: 'ord_1.ship',
    order_id: 'ord_1',
    carrier: expect.any(String),
    tracking_number: expect.any(String),
  };
  expect(verified(callback)).toEqual({
    type: 'shipment.shipped',
    timestamp: expect.any(String),
    data,
  });
  const tampered = callback.body.replace('ord_1', 'ord_2');
  expect(() => verified({ ...callback, body: tampered })).toThrow('signature');
  expect(await look(sandbox)).toMatchObject({ body: { state: 'shipped', ...data } });
  expect(await cancel(sandbox)).toMatchObject({
    status: 409,
    body: { code: 'already_shipped', tracking_number: expect.any(String) },
  });
  expect(counted(sandbox, 'warehouse')).toEqual({ ship: 1 });
});

test('the same parcel asked for again, by the same key or another, is one parcel', async () => {
  const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
  await ship(sandbox, shop.url);
  expect(await ship(sandbox, shop.url)).toMatchObject({ status: 202 });
  expect(await ship(sandbox, shop.url, 'another key')).toMatchObject({ status: 202 });
  expect(counted(sandbox, 'warehouse')).toEqual({ ship: 1 });
});

test('a callback is repeated with the same id and a fresh signature until the shop takes it', async () => {
  const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
  shop.answerWith(503);
  await ship(sandbox, shop.url);
  await eventually(() => expect(shop.received.length).toBeGreaterThanOrEqual(2));
  shop.answerWith(200);
  await eventually(() => expect(shop.received.length).toBeGreaterThanOrEqual(3));
  const ids = new Set(shop.received.map((each) => each.headers['webhook-id']));
  expect(ids.size).toBe(1);
  for (const each of shop.received) verified(each);
});

test('a bad request names the field, a missing key and a missing token say so', async () => {
  const sandbox = await openSandbox();
  const path = '/warehouse/reservations';
  expect(await call(sandbox, { path, key: 'k', body: { order_id: 'ord_1' } })).toMatchObject({
    status: 422,
    body: { code: 'invalid_request', message: expect.stringContaining('lines') },
  });
  expect(await call(sandbox, { path, body: {} })).toMatchObject({
    status: 400,
    body: { code: 'idempotency_key_missing' },
  });
  const stranger = await fetch(`${sandbox.url}${SHIPMENT}`);
  expect(stranger.status).toBe(401);
});

function reserve(sandbox: Sandbox, { quantity = 1 } = {}): Promise<Answered> {
  return call(sandbox, reserveCall('ord_1', quantity));
}

function release(sandbox: Sandbox): Promise<Answered> {
  return call(sandbox, { path: '/warehouse/reservations/ord_1/release' });
}

function ship(sandbox: Sandbox, shopUrl: string, key = 'ord_1/ship'): Promise<Answered> {
  return call(sandbox, { ...shipCall(shopUrl), key });
}

function cancel(sandbox: Sandbox): Promise<Answered> {
  return call(sandbox, { path: `${SHIPMENT}/cancel` });
}

function look(sandbox: Sandbox): Promise<Answered> {
  return call(sandbox, { path: SHIPMENT, method: 'GET' });
}

function first(received: readonly Received[]): Received {
  const [callback] = received;
  if (callback === undefined) throw new Error('no callback yet');
  return callback;
}

function verified({ headers, body }: Received): unknown {
  const signed = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return new Webhook(CALLBACK_SECRET).verify(body, Object.fromEntries(signed));
}
