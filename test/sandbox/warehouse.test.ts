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
import type { CallResult } from './shop.ts';
import type { ReceivedRequest } from '../support/http-server.ts';

const SHIPMENT = '/warehouse/shipments/ord_1.ship';

test('a repeated reserve with one key reserves once, and another body returns 422', async () => {
  const sandbox = await openSandbox();
  expect(await reserve(sandbox)).toEqual({
    status: 201,
    body: { order_id: 'ord_1', state: 'reserved' },
  });
  expect(await reserve(sandbox)).toMatchObject({ status: 201 });
  expect(await reserve(sandbox, { quantity: 2 })).toMatchObject({ status: 422 });
  expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 1 });
});

test('goods that are short are reserved whole or not at all, unless the order takes what there is', async () => {
  const sandbox = await openSandbox();
  await stock(sandbox, 'mug-white', 2);
  const short = { status: 409, body: { code: 'refused', reason: 'not_available' } };
  expect(await call(sandbox, reserveCall('ord_1', 3))).toEqual(short);
  const part = { status: 201, body: { lines: [{ sku: 'mug-white', quantity: 2 }] } };
  expect(await call(sandbox, takeWhatThereIs('ord_2'))).toMatchObject(part);
  expect(await call(sandbox, takeWhatThereIs('ord_3'))).toEqual(short);
  expect(await call(sandbox, reserveCall('ord_4', 1))).toEqual(short);
});

test('a repeated reserve lists what it listed first, though more has come in, and a release gives it back', async () => {
  const sandbox = await openSandbox();
  await stock(sandbox, 'mug-white', 1);
  const first = await call(sandbox, takeWhatThereIs('ord_1'));
  await stock(sandbox, 'mug-white', 9);
  expect(await call(sandbox, takeWhatThereIs('ord_1'))).toEqual(first);
  // The order is reserved once, also under another key.
  expect(await call(sandbox, { ...takeWhatThereIs('ord_1'), key: 'another' })).toEqual(first);
  await stock(sandbox, 'mug-white', 0);
  await release(sandbox);
  const again = await call(sandbox, takeWhatThereIs('ord_2'));
  expect(again).toMatchObject({ body: { lines: [{ sku: 'mug-white', quantity: 1 }] } });
  expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 2, release: 1 });
});

test('a stock that is no whole number of units is refused, and null takes the limit away', async () => {
  const sandbox = await openSandbox();
  expect(await stock(sandbox, 'mug-white', -1)).toBe(400);
  expect(await stock(sandbox, 'mug-white', 0)).toBe(200);
  expect(await stock(sandbox, 'mug-white', null)).toBe(200);
  expect(await reserve(sandbox)).toMatchObject({ status: 201 });
});

test('a repeated release releases a reservation once', async () => {
  const sandbox = await openSandbox();
  await reserve(sandbox);
  expect(await release(sandbox)).toMatchObject({ status: 200, body: { state: 'released' } });
  expect(await release(sandbox)).toMatchObject({ status: 200, body: { state: 'released' } });
  expect(counted(sandbox, 'warehouse')).toEqual({ reserve: 1, release: 1 });
});

test('a reserve that arrives after its release is refused', async () => {
  const sandbox = await openSandbox();
  expect(await release(sandbox)).toMatchObject({ status: 200, body: { state: 'released' } });
  expect(await reserve(sandbox)).toEqual({
    status: 409,
    body: { code: 'refused', reason: 'released' },
  });
  expect(counted(sandbox, 'warehouse')).toEqual({});
});

test('a shipping request that arrives after its cancel is refused', async () => {
  const sandbox = await openSandbox();
  expect(await cancel(sandbox)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  expect(await ship(sandbox, 'http://127.0.0.1:9')).toEqual({
    status: 409,
    body: { code: 'refused', reason: 'cancelled' },
  });
  expect(await look(sandbox)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  expect(counted(sandbox, 'warehouse')).toEqual({});
});

test('a requested parcel can be cancelled, and a repeated cancel takes effect once', async () => {
  const sandbox = await openSandbox({ callbackDelayMs: 60_000 });
  await ship(sandbox, 'http://127.0.0.1:9');
  expect(await look(sandbox)).toMatchObject({ body: { state: 'requested' } });
  expect(await cancel(sandbox)).toMatchObject({ status: 200 });
  expect(await cancel(sandbox)).toMatchObject({ status: 200 });
  expect(await look(sandbox)).toMatchObject({ body: { state: 'cancelled' } });
  expect(counted(sandbox, 'warehouse')).toEqual({ ship: 1, cancel: 1 });
});

test('a shipping request for a released reservation is refused', async () => {
  const sandbox = await openSandbox();
  await reserve(sandbox);
  await release(sandbox);
  expect(await ship(sandbox, 'http://127.0.0.1:9')).toMatchObject({
    status: 409,
    body: { reason: 'released' },
  });
});

test('a shipped parcel is reported by a signed callback and cannot be cancelled', async () => {
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

test('repeated shipping requests for one parcel ship it once, with the same key or another', async () => {
  const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
  await ship(sandbox, shop.url);
  expect(await ship(sandbox, shop.url)).toMatchObject({ status: 202 });
  expect(await ship(sandbox, shop.url, 'another key')).toMatchObject({ status: 202 });
  expect(counted(sandbox, 'warehouse')).toEqual({ ship: 1 });
});

test('a rejected callback is sent again with the same id and a valid signature', async () => {
  const [sandbox, shop] = await Promise.all([openSandbox(), openReceiver()]);
  shop.respondWith(503);
  await ship(sandbox, shop.url);
  await eventually(() => expect(shop.received.length).toBeGreaterThanOrEqual(2));
  shop.respondWith(200);
  await eventually(() => expect(shop.received.length).toBeGreaterThanOrEqual(3));
  const ids = new Set(shop.received.map((each) => each.headers['webhook-id']));
  expect(ids.size).toBe(1);
  for (const each of shop.received) verified(each);
});

test('an invalid body returns 422 with the field name, a missing key 400 and a missing token 401', async () => {
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

function reserve(sandbox: Sandbox, { quantity = 1 } = {}): Promise<CallResult> {
  return call(sandbox, reserveCall('ord_1', quantity));
}

/** Three units, or what there is of them. */
function takeWhatThereIs(orderId: string): ReturnType<typeof reserveCall> {
  const { body, ...rest } = reserveCall(orderId, 3);
  return { ...rest, body: { ...Object(body), partial: true } };
}

/** Sets what the warehouse has. Returns the status. */
async function stock(sandbox: Sandbox, sku: string, available: number | null): Promise<number> {
  const body = JSON.stringify({ available });
  return (await fetch(`${sandbox.url}/warehouse/stock/${sku}`, { method: 'PUT', body })).status;
}

function release(sandbox: Sandbox): Promise<CallResult> {
  return call(sandbox, { path: '/warehouse/reservations/ord_1/release' });
}

function ship(sandbox: Sandbox, shopUrl: string, key = 'ord_1/ship'): Promise<CallResult> {
  return call(sandbox, { ...shipCall(shopUrl), key });
}

function cancel(sandbox: Sandbox): Promise<CallResult> {
  return call(sandbox, { path: `${SHIPMENT}/cancel` });
}

function look(sandbox: Sandbox): Promise<CallResult> {
  return call(sandbox, { path: SHIPMENT, method: 'GET' });
}

function first(received: readonly ReceivedRequest[]): ReceivedRequest {
  const [callback] = received;
  if (callback === undefined) throw new Error('no callback yet');
  return callback;
}

function verified({ headers, body }: ReceivedRequest): unknown {
  const signed = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return new Webhook(CALLBACK_SECRET).verify(body, Object.fromEntries(signed));
}
