import { createConnection, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { createEventStreams, type SseSource, type StreamClient } from '../../api/http/sse.ts';
import { choosePort } from '../support/ports.ts';
import { createLog } from '../../telemetry/logging.ts';
import { listen } from '../../api/server.ts';
import { eventually } from '../support/eventually.ts';
import { readStream } from './event-stream.ts';
import { openShop, type Shop } from '../support/shop.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const logged: string[] = [];
const log = createLog('info', { write: (line) => void logged.push(line) });
const notifications = { subscribe: () => () => undefined, close: async () => undefined };
const respond = (body: ReadableStream<Uint8Array>) =>
  new Response(body, { headers: { 'content-type': 'text/event-stream' } });

/** Listens on a real socket and gives its port. */
async function serve(fetch: (request: Request) => Response | Promise<Response>): Promise<number> {
  const port = await choosePort();
  const server = await listen({ fetch, host: '127.0.0.1', port });
  closers.push(() => server.close(100));
  return port;
}

/** A shop behind a real socket. */
async function serveShop(options: Parameters<typeof openShop>[0] = {}) {
  const shop = await openShop(options);
  closers.push(() => shop.close());
  return { shop, port: await serve(createApp(shop.services).fetch) };
}

/** Asks for the feed from its beginning and reads nothing of it. */
function openAndIgnore(port: number): Socket {
  const socket = createConnection({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.pause();
  closers.push(() => void socket.destroy());
  socket.write(
    'GET /v1/events?after=0-0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n' +
      'Authorization: Bearer hf_local_operator\r\n\r\n',
  );
  return socket;
}

/** More than the buffers of both sockets hold. */
async function fillLog(shop: Shop, megabytes: number): Promise<number> {
  await shop.place();
  const count = megabytes * 10;
  await shop.db.$executeRaw`
    INSERT INTO events (id, type, order_id, seq, correlation_id, data)
    SELECT gen_random_uuid(), 'order.customer_notified', (SELECT id FROM orders LIMIT 1), 10 + n,
      'x', jsonb_build_object('padding', repeat('x', 100000))
    FROM generate_series(1, ${count}::int) n`;
  return count;
}

describe('a client that does not read', () => {
  test('a stream client that never reads is dropped at its deadline, and only socket buffers are filled for it', async () => {
    const streams = createEventStreams({ notifications, log, limits: { drainMs: 300 } });
    let produced = 0;
    const endless: SseSource = {
      subject: null,
      async next() {
        produced += 1;
        return [{ id: String(produced), type: 'x', data: { padding: 'x'.repeat(1_000_000) } }];
      },
      cursor: () => String(produced),
    };
    const port = await serve((request) =>
      respond(streams.open(endless, { apiKeyId: 'key', signal: request.signal })),
    );
    const socket = openAndIgnore(port);
    await eventually(() => expect(streams.count()).toBe(1));
    await eventually(() => expect(streams.count()).toBe(0));
    expect(logged.join()).toContain('slow client disconnected');
    // What fits into the buffers of two sockets, in megabytes.
    expect(produced).toBeLessThan(20);
    socket.resume();
    await eventually(() => expect(socket.destroyed).toBe(true));
  });

  test('a stream client that reads receives every event beside a client that does not read', async () => {
    const { shop, port } = await serveShop({ streamLimits: { drainMs: 60_000 } });
    const written = await fillLog(shop, 20);
    openAndIgnore(port);
    const headers = { accept: 'text/event-stream', authorization: 'Bearer hf_local_operator' };
    const response = await fetch(`http://127.0.0.1:${port}/v1/events?after=0-0`, { headers });
    const reading = readStream(response);
    expect(await reading.take(written + 2)).toHaveLength(written + 2);
    await reading.leave();
    await eventually(() => expect(shop.services.feedStreams.count()).toBe(1));
  });
});

describe('a shutdown', () => {
  test('a shutdown ends the open event streams and refuses a new one with 503', async () => {
    const { shop, port } = await serveShop();
    const headers = { accept: 'text/event-stream', authorization: 'Bearer hf_local_operator' };
    const response = await fetch(`http://127.0.0.1:${port}/v1/events`, { headers });
    const ended = readStream(response).ended();
    await eventually(() => expect(shop.services.feedStreams.count()).toBe(1));
    await shop.services.close();
    await ended;
    const late = await shop.request('GET', '/v1/events', { role: 'operator', headers });
    expect(late.status).toBe(503);
  });
});

describe('the streams', () => {
  const quiet: SseSource = { subject: null, next: async () => [], cursor: () => '0' };
  const client = (changes: Partial<StreamClient> = {}): StreamClient => ({
    apiKeyId: 'key',
    signal: new AbortController().signal,
    ...changes,
  });

  test('one API key cannot open all streams, and a stream that ended makes room for another', async () => {
    const limits = { maxStreams: 10, maxPerKey: 4 };
    const streams = createEventStreams({ notifications, log, limits });
    closers.push(() => streams.close());
    const leaving = new AbortController();
    const open = (apiKeyId: string, signal = new AbortController().signal) =>
      streams.open(quiet, { apiKeyId, signal });
    open('greedy', leaving.signal);
    for (const _ of [2, 3, 4]) open('greedy');
    for (let more = 0; more < 100; more += 1) {
      expect(() => open('greedy')).toThrow('too_many_streams');
    }
    for (const other of ['a', 'b', 'c', 'd', 'e', 'f']) open(other);
    expect(() => open('g')).toThrow('too_many_streams');
    leaving.abort();
    await eventually(() => expect(streams.count()).toBe(9));
    open('greedy');
  });

  test('an event stream ends after its lifetime', async () => {
    const streams = createEventStreams({ notifications, log, limits: { lifetimeMs: 50 } });
    await readStream(respond(streams.open(quiet, client()))).ended();
    await eventually(() => expect(streams.count()).toBe(0));
  });

  test('an event stream is closed when its client disconnected before it began', async () => {
    const streams = createEventStreams({ notifications, log });
    streams.open(quiet, client({ signal: AbortSignal.abort() }));
    await eventually(() => expect(streams.count()).toBe(0));
  });

  test('an event stream ends and logs the error when its source fails', async () => {
    const streams = createEventStreams({ notifications, log });
    const next = () => Promise.reject(new Error('the log cannot be read'));
    const body = streams.open({ ...quiet, next }, client());
    await readStream(respond(body)).ended();
    await eventually(() => expect(streams.count()).toBe(0));
    expect(logged.join()).toContain('the log cannot be read');
  });
});
