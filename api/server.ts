/** The HTTP server. It stops without failing requests in progress. */
import { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';

export interface HttpServer {
  /** Accepts no new connections and lets requests finish for up to `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/**
 * The time in which a request must arrive, including its body. A missing body holds a permit, so it is
 * shorter than Node's five minutes, but longer than a body may wait unread in the queue (10 s).
 */
const REQUEST_TIMEOUT_MS = 15_000;
/**
 * Longer than the 60 s for which proxies keep an idle connection (nginx, AWS load balancers): with Node's
 * 5 s a request that is sent just then fails with 502.
 */
const KEEP_ALIVE_MS = 75_000;
/** How often Node checks the timeout, and so its largest delay. */
const CHECK_EVERY_MS = 1_000;

/** Rejects with ListenError when the port is not available. */
export async function listen(options: {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly host: string;
  readonly port: number;
  /** What the variables of host and port start with, for the error. */
  readonly prefix?: 'OPERATIONS_';
  readonly requestTimeoutMs?: number;
}): Promise<HttpServer> {
  const { host, port, prefix = '', requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createAdaptorServer({
    fetch: options.fetch,
    // For HTTP/1.0, in which Host is optional: many health checks send none.
    hostname: 'localhost',
    serverOptions: {
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, requestTimeoutMs),
    },
  });
  if (!(server instanceof Server)) throw new TypeError('expected a plain HTTP server');
  // `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7), which is what `/` answers for.
  server.prependListener('request', (incoming) => {
    if (incoming.method === 'OPTIONS' && incoming.url === '*') incoming.url = '/';
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, { host, port, prefix })));
    server.listen(port, host, resolve);
  });
  return { close: (withinMs) => close(server, withinMs) };
}

/** The port is not available. The message is for the operator. */
export class ListenError extends Error {}

function explain(
  error: Error,
  { host, port, prefix }: { readonly host: string; readonly port: number; readonly prefix: string },
): Error {
  if ('code' in error && error.code === 'EADDRINUSE') {
    return new ListenError(`Port ${port} on ${host} is in use: set ${prefix}PORT to a free one.`);
  }
  return new ListenError(
    `Cannot listen on ${host}:${port} (${error.message}): set ${prefix}HOST and ${prefix}PORT.`,
  );
}

async function close(server: Server, withinMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), withinMs);
  await closed;
  clearTimeout(timer);
}
