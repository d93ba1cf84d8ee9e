import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { listenOnLoopback } from '../support/http-server.ts';
import { createWebhookSender, type WebhookSender } from '../../gateways/webhooks/sender.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const DELIVERED = { kind: 'answered', status: 204 };

/** An HTTP server at the address; gives its port and the connections that were made to it. */
async function receiver(
  host: string,
  port = 0,
  listener: RequestListener = (_, response) => response.writeHead(204).end(),
) {
  const connections: Socket[] = [];
  const server = createServer(listener);
  server.on('connection', (socket) => connections.push(socket));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: await listenOnLoopback(server, { host, port }), connections };
}

/** A sender that resolves every name to the given addresses. */
function senderTo(address: () => string): WebhookSender {
  const resolve = () => Promise.resolve([{ address: address(), family: 4 as const }]);
  return createWebhookSender({ allowLocal: true, resolve });
}

const send = (sender: WebhookSender, port: number) =>
  sender.send({ url: `http://hooks.test:${port}/`, id: 'msg', body: '{}', secrets: [SECRET] });

test('consecutive webhooks to one receiver share a connection', async () => {
  const { port, connections } = await receiver('127.0.0.1');
  const sender = senderTo(() => '127.0.0.1');
  for (let sent = 0; sent < 3; sent += 1) expect(await send(sender, port)).toMatchObject(DELIVERED);
  expect(connections).toHaveLength(1);
});

test('a webhook to a newly resolved address does not reuse the connection to the old one', async () => {
  const first = await receiver('127.0.0.1');
  const second = await receiver('127.0.0.2', first.port);
  let address = '127.0.0.1';
  const sender = senderTo(() => address);
  await send(sender, first.port);
  address = '127.0.0.2';
  expect(await send(sender, first.port)).toMatchObject(DELIVERED);
  expect([first.connections, second.connections].map(({ length }) => length)).toEqual([1, 1]);
});

test('a webhook is delivered on a new connection when the receiver resets the kept one', async () => {
  const used = new WeakSet<Socket>();
  const { port, connections } = await receiver('127.0.0.1', 0, ({ socket }, response) => {
    if (used.has(socket)) return void socket.resetAndDestroy();
    used.add(socket);
    response.writeHead(204).end();
  });
  const sender = senderTo(() => '127.0.0.1');
  expect(await send(sender, port)).toMatchObject(DELIVERED);
  expect(await send(sender, port)).toMatchObject(DELIVERED);
  expect(connections).toHaveLength(2);
});
