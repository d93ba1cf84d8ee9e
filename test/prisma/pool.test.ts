import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { BoundedPool } from '../../prisma/client/pool.ts';

/** Messages of PostgreSQL's protocol, version 3: authenticated, ready, and a FATAL error. */
const AUTHENTICATED = message('R', Buffer.from([0, 0, 0, 0]));
const READY = message('Z', Buffer.from('I'));
const FATAL = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'));

test('a connection that ends in the packet that made it ready fails its query and not the process', async () => {
  const pool = await poolTo((socket) => {
    socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, FATAL])));
  });
  const client = await pool.connect();
  await expect(client.query('SELECT 1')).rejects.toThrow(/not queryable|terminated/);
  client.release(true);
  await pool.end();
});

test('a connection that the server ends while the pool is ended does not end the process', async () => {
  const pool = await poolTo((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([AUTHENTICATED, READY]));
      // The next message is the client's farewell.
      socket.once('data', () => socket.end(FATAL));
    });
  });
  const client = await pool.connect();
  const closed = new Promise<void>((resolve) => client.once('end', resolve));
  client.release();
  await Promise.all([pool.end(), closed]);
  expect(pool.totalCount).toBe(0);
});

/** A pool of connections to a server that answers so. */
async function poolTo(answer: (socket: Socket) => void): Promise<BoundedPool> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return new BoundedPool({ host: '127.0.0.1', port: portOf(server.address()), user: 'u' }, 1);
}

function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}
