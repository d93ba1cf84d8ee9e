/** Listening on loopback, and ending connections. */
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';

export const HOST = '127.0.0.1';
const CLOSE_TIMEOUT_MS = 1_000;

/** Resolves with the port. Rejects with the system's error when it is in use. */
export async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, HOST);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Finishes the requests in flight, for at most a second. */
export async function closeHttp(server: HttpServer): Promise<void> {
  const closed = new Promise<unknown>((resolve) => {
    server.close(resolve);
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
  await closed;
  clearTimeout(timer);
}
