/** The chaos proxy: what each fault does to a connection, on plain sockets and on real PostgreSQL. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import pg from 'pg';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CHANGE_DONE } from '../../tools/chaos/network-fault.ts';
import { createTcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import type { TcpProxy } from '../../tools/chaos/tcp-proxy.ts';
import { createTestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { useOpened } from '../support/use-opened.ts';

const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

interface Echo {
  readonly server: Server;
  readonly port: number;
  /** Everything the server has read from all connections. */
  received(): string;
}

async function startEcho(): Promise<Echo> {
  let received = '';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
      socket.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port, received: () => received };
}

async function startProxy(port: number): Promise<TcpProxy> {
  const proxy = await createTcpProxy({ target: { port } });
  cleanUp.push(() => proxy.close());
  return proxy;
}

interface Connection {
  readonly socket: Socket;
  read(): string;
  resetCode(): string | null;
}

function openConnection(proxy: TcpProxy): Connection {
  const socket = connect(proxy.port, '127.0.0.1');
  let text = '';
  let resetCode: string | null = null;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', (error) => (resetCode = 'code' in error ? String(error.code) : error.message));
  cleanUp.push(() => void socket.destroy());
  return { socket, read: () => text, resetCode: () => resetCode };
}

describe('plain sockets', () => {
  test('the proxy passes all bytes in order in both directions and then ends the connection', async () => {
    const echo = await startEcho();
    const connection = openConnection(await startProxy(echo.port));
    const sent = 'abcdefghij'.repeat(100_000);
    connection.socket.end(sent);
    await eventually(() => expect(connection.read().length).toBe(sent.length));
    expect(connection.read()).toBe(sent);
    await eventually(() => expect(connection.socket.destroyed).toBe(true));
    expect(connection.resetCode()).toBeNull();
  });

  test('a slow connection delays and slices the bytes but loses none', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    proxy.inject({ kind: 'slow', direction: 'to_server', latencyMs: 100, sliceBytes: 7 });
    proxy.inject({ kind: 'slow', direction: 'to_client', bytesPerSecond: 1_000_000 });
    const connection = openConnection(proxy);
    const startedAt = performance.now();
    const sent = '0123456789'.repeat(200);
    connection.socket.write(sent);
    await eventually(() => expect(connection.read()).toBe(sent));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(100);
    expect(proxy.counts().slow).toBeGreaterThanOrEqual(2);
  });

  test('a half-open connection drops bytes silently and is reset when the fault is cleared', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    const connection = openConnection(proxy);
    proxy.inject({ kind: 'swallow', direction: 'to_client' });
    connection.socket.write('ping');
    await eventually(() => expect(proxy.counts().swallow).toBe(1));
    expect(echo.received()).toBe('ping');
    expect(connection.resetCode()).toBeNull();
    proxy.clearFaults();
    await eventually(() => expect(connection.resetCode()).toBe('ECONNRESET'));
    expect(connection.read()).toBe('');
    const next = openConnection(proxy);
    next.socket.write('pong');
    await eventually(() => expect(next.read()).toBe('pong'));
  });

  test('cutNow resets every open connection, and the next one works', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    const connections = [openConnection(proxy), openConnection(proxy)];
    await eventually(() => expect(proxy.openConnections).toBe(2));
    expect(proxy.cutNow()).toBe(2);
    for (const connection of connections)
      await eventually(() => expect(connection.resetCode()).toBe('ECONNRESET'));
    expect(proxy.counts().cut).toBe(2);
    await eventually(() => expect(proxy.openConnections).toBe(0));
    const next = openConnection(proxy);
    next.socket.write('pong');
    await eventually(() => expect(next.read()).toBe('pong'));
  });

  test('a cut after six bytes delivers those six and resets the connection', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    proxy.inject({ kind: 'cut_after', direction: 'to_server', bytes: 6, times: 1 });
    const connection = openConnection(proxy);
    connection.socket.write('123');
    await eventually(() => expect(connection.read()).toBe('123'));
    connection.socket.write('456789');
    await eventually(() => expect(connection.resetCode()).toBe('ECONNRESET'));
    await eventually(() => expect(echo.received()).toBe('123456'));
    expect(proxy.counts().cut_after).toBe(1);
  });

  test('a cut on a pattern matches across two chunks, and only as often as requested', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    const pattern = Buffer.from('COMMIT');
    proxy.inject({ kind: 'cut_on', direction: 'to_server', pattern, deliver: true, times: 1 });
    const connection = openConnection(proxy);
    connection.socket.write('xxCOM');
    await eventually(() => expect(connection.read()).toBe('xxCOM'));
    connection.socket.write('MITyy');
    await eventually(() => expect(connection.resetCode()).toBe('ECONNRESET'));
    await eventually(() => expect(echo.received()).toBe('xxCOMMITyy'));
    const next = openConnection(proxy);
    next.socket.write('COMMIT');
    await eventually(() => expect(next.read()).toBe('COMMIT'));
  });

  test('refuse resets open and new connections until the fault is cleared', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    const open = openConnection(proxy);
    await eventually(() => expect(proxy.openConnections).toBe(1));
    proxy.inject({ kind: 'refuse' });
    await eventually(() => expect(open.resetCode()).toBe('ECONNRESET'));
    const refused = openConnection(proxy);
    await eventually(() => expect(refused.resetCode()).toBe('ECONNRESET'));
    expect(proxy.counts().refuse).toBe(1);
    proxy.clearFaults();
    const next = openConnection(proxy);
    next.socket.write('pong');
    await eventually(() => expect(next.read()).toBe('pong'));
  });

  test('a connection to a stopped server is reset instead of hanging', async () => {
    const echo = await startEcho();
    const proxy = await startProxy(echo.port);
    echo.server.close();
    const connection = openConnection(proxy);
    await eventually(() => expect(connection.resetCode()).toBe('ECONNRESET'));
  });

  test('a pattern over 256 bytes and a fault beyond 100 are rejected', async () => {
    const proxy = await startProxy(1);
    const pattern = Buffer.alloc(257);
    const direction = 'to_server';
    expect(() => proxy.inject({ kind: 'cut_on', direction, pattern, deliver: true })).toThrow(
      '1 to 256 bytes',
    );
    for (let i = 0; i < 100; i += 1) proxy.inject({ kind: 'slow' });
    expect(() => proxy.inject({ kind: 'slow' })).toThrow('more than 100 faults');
  });
});

describe('PostgreSQL', () => {
  const database = useOpened(createTestDatabase);
  beforeAll(async () => {
    const client = await open(database.url);
    await client.query('CREATE TABLE mark (id int)');
    await client.end();
  });

  async function open(address: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: address });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async function openProxied() {
    const url = new URL(database.url);
    const proxy = await startProxy(Number(url.port));
    url.port = String(proxy.port);
    const [direct, client] = await Promise.all([open(database.url), open(url.href)]);
    cleanUp.push(() => direct.end());
    cleanUp.push(() => client.end().catch(() => undefined));
    await direct.query('DELETE FROM mark');
    return { proxy, direct, client };
  }

  const INSERT = 'INSERT INTO mark VALUES (1)';

  test('a cut on the response to a statement fails the client, and the row is committed', async () => {
    const { proxy, direct, client } = await openProxied();
    const pattern = CHANGE_DONE;
    proxy.inject({ kind: 'cut_on', direction: 'to_client', pattern, deliver: false, times: 1 });
    await expect(client.query(INSERT)).rejects.toThrow();
    expect(proxy.counts().cut_on).toBe(1);
    expect((await direct.query('SELECT id FROM mark')).rows).toEqual([{ id: 1 }]);
  });

  test.each([
    ['takes effect when it was delivered', true, 1],
    ['has no effect when it was lost', false, 0],
  ])('a statement whose connection is cut %s', async (_what, deliver, rows) => {
    const { proxy, direct, client } = await openProxied();
    const pattern = Buffer.from(INSERT);
    proxy.inject({ kind: 'cut_on', direction: 'to_server', pattern, deliver, times: 1 });
    await expect(client.query(INSERT)).rejects.toThrow();
    // The server may still work on the delivered bytes.
    await eventually(async () => {
      const others = `SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`;
      expect((await direct.query(others)).rows).toEqual([]);
    });
    expect((await direct.query('SELECT id FROM mark')).rows).toHaveLength(rows);
  });
});
