/** Receives webhooks and callbacks for the tools, and answers them as its owner says. */
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

interface Message {
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes that were signed. */
  readonly body: string;
}

export interface Received extends Message {
  /** How it was answered. */
  readonly status: number;
}

export interface Receiver {
  readonly port: number;
  /** Every message so far, oldest first. */
  readonly received: readonly Received[];
  close(): void;
}

/** Port 0 is any free one. Rejects when the port is in use. */
export async function openReceiver(
  at: { readonly host: string; readonly port: number },
  statusOf: (message: Message, earlier: readonly Received[]) => number,
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((incoming, outgoing) => {
    read(incoming).then(
      (message) => {
        const status = statusOf(message, received);
        received.push({ ...message, status });
        outgoing.writeHead(status).end();
      },
      () => outgoing.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : at.port,
    received,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function read(incoming: IncomingMessage): Promise<Message> {
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
  const body = await text(incoming);
  return { headers: Object.fromEntries(headers), body };
}
