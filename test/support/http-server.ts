/** HTTP servers of a few lines, and what was sent to them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { text } from 'node:stream/consumers';

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** On a free port of the loopback interface. */
export async function startHttpServer(listener: Listener): Promise<HttpServer> {
  const server = createServer((request, response) => void listener(request, response));
  const port = await listenOnLoopback(server);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Listens on the loopback interface; gives the port, a free one unless given. */
export async function listenOnLoopback(
  server: Server,
  { host = '127.0.0.1', port = 0 } = {},
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The whole request, its body as text. */
export async function readRequest(request: IncomingMessage): Promise<ReceivedRequest> {
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  const body = await text(request);
  return { path: request.url ?? '', headers: Object.fromEntries(headers), body };
}
