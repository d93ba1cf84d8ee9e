/** Listens for HTTP and stops without failing a request. */
import { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';

export interface HttpServer {
  /** Takes no new connection, finishes the requests under way, at most `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/**
 * For a request to arrive, headers and body. A body that does not arrive holds a permit, so
 * not Node's five minutes; but longer than a large one may have to stand in line unread (10 s).
 */
const REQUEST_TIMEOUT_MS = 15_000;
/** How often Node looks: what is late is cut off at most so much later. */
const LOOK_EVERY_MS = 1_000;

/** Rejects with one clear sentence when the port cannot be had. */
export async function listen(options: {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly host: string;
  readonly port: number;
  readonly requestTimeoutMs?: number;
}): Promise<HttpServer> {
  const { host, port, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createAdaptorServer({
    fetch: options.fetch,
    serverOptions: {
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, requestTimeoutMs),
    },
  });
  if (!(server instanceof Server)) throw new TypeError('plain HTTP was asked for');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, host, port)));
    server.listen(port, host, resolve);
  });
  return { close: (withinMs) => close(server, withinMs) };
}

/** A port that cannot be listened on. The message is for a person. */
export class ListenError extends Error {}

function explain(error: Error, host: string, port: number): Error {
  if ('code' in error && error.code === 'EADDRINUSE') {
    return new ListenError(`Port ${port} on ${host} is taken: set PORT to a free one.`);
  }
  return new ListenError(`Cannot listen on ${host}:${port} (${error.message}): set HOST and PORT.`);
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
