/** The HTTP door: one listener on loopback for every stand-in and the control API. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { HttpBindings } from '@hono/node-server';

export interface HttpListener {
  readonly port: number;
  /** Lets answers under way end, for at most a second. */
  close(): Promise<void>;
}

/** Requests that come before the books are read wait for the handler. */
export type Handler = Promise<
  (request: Request, env: HttpBindings) => Response | Promise<Response>
>;

const CLOSE_GRACE_MS = 1_000;
/** Longer than clients keep an idle connection, so that none is closed under a request. */
const KEEP_ALIVE_MS = 75_000;

/** Opens the door. Rejects with the system's error when the port is taken. */
export async function openHttp(
  options: { readonly host: string; readonly port: number },
  handler: Handler,
): Promise<HttpListener> {
  const listener = getRequestListener(async (request, env) => {
    const handle = await handler;
    // A plain HTTP/1.1 server only ever hands over its own kind.
    return isHttp1(env) ? handle(request, env) : new Response(null, { status: 505 });
  });
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return { port: portOf(server), close: () => closeServer(server) };
}

function isHttp1(env: object): env is HttpBindings {
  return 'incoming' in env && 'outgoing' in env;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(giveUp);
      resolve();
    });
    server.closeIdleConnections();
  });
}
