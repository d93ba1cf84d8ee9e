import { createConnection, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { CONCURRENCY_LIMITS } from '../../api/limits/request-class.ts';
import { createApp } from '../../api/app.ts';
import { choosePort } from '../support/ports.ts';
import { listen } from '../../api/server.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { eventually } from '../support/eventually.ts';

const ONE_PLACE = {
  ...CONCURRENCY_LIMITS.checkout,
  maxRunning: 1,
  minRunning: 1,
  maxWaitMs: 60_000,
};

test('a request whose body never completes gets 408 and releases its checkout permit', async () => {
  const shop = await openShop({
    concurrencyLimits: { ...CONCURRENCY_LIMITS, checkout: ONE_PLACE },
  });
  onTestFinished(() => shop.close());
  const [host, port] = ['127.0.0.1', await choosePort()];
  const { fetch } = createApp(shop.services);
  const server = await listen({ fetch, host, port, requestTimeoutMs: 300 });
  onTestFinished(() => server.close(100));
  // Repeated: a busy machine may be too late to give it a permit.
  await eventually(async () => {
    expect(await sendHalfAnOrder(port)).toMatch(/^HTTP\/1\.1 408 /);
    expect(ordersLetIn(shop)).toBeGreaterThan(0);
  });
  expect((await shop.place()).status).toBe(201);
});

test('an idle connection is kept longer than a proxy keeps it', async () => {
  const [host, port] = ['127.0.0.1', await choosePort()];
  const server = await listen({ fetch: () => new Response('ok'), host, port });
  onTestFinished(() => server.close(100));
  const response = await fetch(`http://${host}:${port}/`);
  const [, seconds = '0'] = /timeout=(\d+)/.exec(response.headers.get('keep-alive') ?? '') ?? [];
  expect(Number(seconds)).toBeGreaterThan(60);
  await response.text();
});

test('a client that breaks off its body is logged as its own mistake, and rejects no queued request', async () => {
  const shop = await openShop({
    concurrencyLimits: { ...CONCURRENCY_LIMITS, checkout: ONE_PLACE },
  });
  onTestFinished(() => shop.close());
  const [host, port] = ['127.0.0.1', await choosePort()];
  const { fetch } = createApp(shop.services);
  const server = await listen({ fetch, host, port });
  onTestFinished(() => server.close(100));
  const { checkout } = shop.services.limiters;
  const socket = halfAnOrder(port);
  await eventually(() => expect(checkout.view().running).toBe(1));
  const queued = shop.place();
  await eventually(() => expect(checkout.view().queued).toBe(1));
  socket.destroy();
  expect((await queued).status).toBe(201);
  const broken = shop.logged.filter((line) => line.includes('"status":400'));
  expect(broken.map((line) => JSON.parse(line))).toMatchObject([{ level: 30 }]);
  expect(shop.logged.filter((line) => line.includes('"status":5'))).toEqual([]);
});

/** What comes back until the connection is closed. */
function sendHalfAnOrder(port: number): Promise<string> {
  return text(halfAnOrder(port));
}

function halfAnOrder(port: number): Socket {
  const socket = createConnection({ port, host: '127.0.0.1' });
  socket.write(
    'POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Authorization: Bearer hf_local_storefront\r\nIdempotency-Key: half\r\n' +
      'Content-Length: 1000\r\n\r\n{"customer":',
  );
  return socket;
}

function ordersLetIn({ logged }: Shop): number {
  return logged.filter((line) => line.includes('"route":"/v1/orders"')).length;
}
