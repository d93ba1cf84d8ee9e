import { createServer, type Server } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createWebhookSender, type WebhookMessage } from '../../gateways/webhooks/sender.ts';
import { findTarget } from '../../gateways/webhooks/target.ts';
import { eventually } from '../support/eventually.ts';
import { HOSTILE_URLS, resolveByTable } from './hostile-urls.ts';
import {
  listenOnLoopback,
  readRequest,
  startHttpServer,
  type ReceivedRequest,
  type Listener,
} from '../support/http-server.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

const message = (url: string, changes: Partial<WebhookMessage> = {}): WebhookMessage => ({
  url,
  id: 'msg_1',
  body: '{"type":"order.placed"}',
  secrets: [SECRET],
  ...changes,
});

async function receiver(listener: Listener) {
  const started = await startHttpServer(listener);
  onTestFinished(started.close);
  return started;
}

/** A bare TCP server, for what no HTTP server does. */
async function tcp(server: Server): Promise<number> {
  onTestFinished(() => void server.close());
  return listenOnLoopback(server);
}

describe('webhook targets', () => {
  const sender = createWebhookSender({ allowLocal: false, resolve: resolveByTable });

  test('the list of hostile URLs holds at least sixty distinct URLs', () => {
    const urls = Object.values(HOSTILE_URLS).flat();
    expect(new Set(urls).size).toBe(urls.length);
    expect(urls.length).toBeGreaterThanOrEqual(60);
  });

  describe.each(Object.entries(HOSTILE_URLS))('%s', (_trick, urls) => {
    test.each(urls)('the hostile URL "%s" is blocked', async (url) => {
      expect(await sender.send(message(url))).toMatchObject({ kind: 'blocked' });
      expect(await sender.check(url)).toMatchObject({ kind: 'blocked' });
    });
  });

  test.each([
    'https://public.example/hooks?a=1',
    'https://public.example:443/',
    'https://public.example:8443/',
    'https://PUBLIC.example/',
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
  ])('the public URL "%s" is allowed', async (url) => {
    expect(await sender.check(url)).toEqual({ kind: 'open' });
  });

  test('a webhook to an unresolvable name fails instead of being blocked', async () => {
    const url = 'https://nowhere.example/';
    expect(await sender.send(message(url))).toMatchObject({
      kind: 'failed',
      reason: 'dns_enotfound',
    });
    expect(await sender.check(url)).toEqual({ kind: 'blocked', reason: 'dns_enotfound' });
  });

  test('a host name is resolved and checked again for every webhook, so DNS rebinding is blocked', async () => {
    const addresses = ['93.184.215.14', '127.0.0.1', '10.0.0.1'];
    const rebinding = createWebhookSender({
      allowLocal: false,
      resolve: async () => [{ address: addresses.shift() ?? '', family: 4 }],
    });
    const url = 'https://rebinding.example/';
    expect(await rebinding.check(url)).toEqual({ kind: 'open' });
    const blocked = { kind: 'blocked', reason: 'address_not_public' };
    expect(await rebinding.send(message(url))).toMatchObject(blocked);
    expect(await rebinding.send(message(url))).toMatchObject(blocked);
  });

  test('a webhook resolves its host once and connects to the address that was checked', async () => {
    const hosts: (string | undefined)[] = [];
    const { url } = await receiver((request, response) => {
      hosts.push(request.headers.host);
      response.end();
    });
    const { port } = new URL(url);
    let lookups = 0;
    const local = createWebhookSender({
      allowLocal: true,
      resolve: async () => {
        lookups += 1;
        // A second look-up would lead elsewhere.
        return [{ address: lookups === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }];
      },
    });
    const sent = await local.send(message(`http://rebinding.example:${port}/`));
    expect(sent).toMatchObject({ kind: 'answered', status: 200 });
    expect([lookups, hosts]).toEqual([1, [`rebinding.example:${port}`]]);
    expect(await local.send(message(`http://rebinding.example:${port}/`))).toMatchObject({
      kind: 'blocked',
    });
  });

  test('a webhook over TLS sends the server name and keeps its body from a server that speaks no TLS', async () => {
    const hellos: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (hello) => {
        hellos.push(Buffer.from(hello));
        socket.end('this is no TLS');
      });
    });
    const port = await tcp(server);
    const local = createWebhookSender({
      allowLocal: true,
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    const sent = await local.send(message(`https://receiver.example:${port}/`));
    expect(sent).toMatchObject({ kind: 'failed' });
    expect(Buffer.concat(hellos).includes('receiver.example')).toBe(true);
    expect(Buffer.concat(hellos).includes('order.placed')).toBe(false);
  });

  test('local mode allows loopback and plain HTTP but no other private address', async () => {
    const rules = { allowLocal: true, resolve: resolveByTable };
    for (const url of ['http://127.0.0.1:3000/', 'http://[::1]:80/', 'http://localhost:4000/']) {
      expect((await findTarget(url, rules)).kind, url).toBe('open');
    }
    for (const url of [
      'http://10.0.0.1/',
      'http://169.254.169.254/',
      'http://[::ffff:127.0.0.1]/',
      'http://mixed.example/',
      'http://user@localhost/',
      'ftp://localhost/',
    ]) {
      expect((await findTarget(url, rules)).kind, url).toBe('blocked');
    }
  });
});

describe('sending a webhook', () => {
  const sender = createWebhookSender({ allowLocal: true });
  const shortSender = createWebhookSender({ allowLocal: true, deadlineMs: 100 });

  test('a webhook is signed once per secret, and the official library verifies each signature', async () => {
    const received: ReceivedRequest[] = [];
    const { url } = await receiver(async (request, response) => {
      received.push(await readRequest(request));
      response.writeHead(204).end();
    });
    const sent = await sender.send(
      message(`${url}/hooks?a=1`, {
        secrets: [SECRET, OTHER_SECRET],
        headers: { 'ce-id': 'msg_1', 'webhook-id': 'forged' },
      }),
    );
    expect(sent).toMatchObject({ kind: 'answered', status: 204, bodyHead: '', retryAfterMs: null });
    const { headers = {}, body = '' } = received[0] ?? {};
    for (const secret of [SECRET, OTHER_SECRET]) {
      expect(new Webhook(secret).verify(body, { ...headers })).toEqual({ type: 'order.placed' });
    }
    expect(headers).toMatchObject({
      'webhook-id': 'msg_1',
      'ce-id': 'msg_1',
      'content-type': 'application/json',
    });
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
  });

  test.each([301, 302, 303, 307, 308])(
    'a redirect with status %i is returned as the response and not followed',
    async (status) => {
      let followed = 0;
      const inside = await receiver((_, response) => {
        followed += 1;
        response.end();
      });
      const { url } = await receiver((_, response) =>
        response.writeHead(status, { location: inside.url }).end(),
      );
      expect(await sender.send(message(url))).toMatchObject({ kind: 'answered', status });
      expect(followed).toBe(0);
    },
  );

  test('a webhook keeps the beginning of a huge response and stops reading long before its end', async () => {
    let written = 0;
    const { url } = await receiver((_, response) => {
      const chunk = Buffer.alloc(16 * 1_024, 'x\0');
      const more = (): void => {
        while (!response.destroyed && written < 100_000_000) {
          written += chunk.byteLength;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    });
    const sent = await sender.send(message(url));
    expect(sent).toMatchObject({ kind: 'answered', status: 200 });
    expect(sent.kind === 'answered' && sent.bodyHead).toMatch(/^(?:x\ufffd){100,512}$/);
    expect(written).toBeLessThan(50_000_000);
  });

  test('a response whose body never ends counts as answered', async () => {
    const { url } = await receiver((_, response) => void response.writeHead(200).write('so far'));
    // Again, when a busy machine let the deadline pass before the head arrived.
    await eventually(async () => {
      const sent = await shortSender.send(message(url));
      expect(sent).toMatchObject({ kind: 'answered', status: 200, bodyHead: 'so far' });
    });
  });

  test('a webhook fails when the response is late, missing or not HTTP', async () => {
    const hanging = await receiver(() => undefined);
    expect(await shortSender.send(message(hanging.url))).toMatchObject({
      kind: 'failed',
      reason: 'deadline',
    });
    const garbled = createServer((socket) => socket.end('what?\r\n\r\n'));
    expect(await sender.send(message(`http://127.0.0.1:${await tcp(garbled)}/`))).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^connection_/),
    });
    const upgrading = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
      );
    });
    expect(await sender.send(message(`http://127.0.0.1:${await tcp(upgrading)}/`))).toMatchObject({
      kind: 'failed',
    });
    const closed = await startHttpServer(() => undefined);
    await closed.close();
    expect(await sender.send(message(closed.url))).toMatchObject({
      kind: 'failed',
      reason: 'connection_econnrefused',
    });
  });

  test('a webhook fails with reason deadline when its caller aborts or the DNS lookup hangs', async () => {
    const { url } = await receiver(() => undefined);
    const given = await sender.send(message(url, { signal: AbortSignal.timeout(20) }));
    expect(given).toMatchObject({ kind: 'failed', reason: 'deadline' });
    const hanging = createWebhookSender({
      allowLocal: true,
      deadlineMs: 20,
      resolve: () => new Promise(() => undefined),
    });
    const failed = { kind: 'failed', reason: 'deadline' };
    expect(await hanging.send(message('http://slow.example/'))).toMatchObject(failed);
    expect(await hanging.check('http://slow.example/')).toMatchObject({ reason: 'deadline' });
  });

  test('an invalid signing secret throws instead of returning a failed webhook', async () => {
    await expect(
      sender.send(message('http://127.0.0.1/', { secrets: ['not base64!'] })),
    ).rejects.toThrow();
  });
});
