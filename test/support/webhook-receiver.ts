/** A webhook receiver as a customer would write one: records requests, with a configurable response. */
import { createServer, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';

export interface ReceivedWebhook {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly json: z.infer<typeof message>;
  readonly atMs: number;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /** Answers from here on; 204 unless told. */
  answer: (response: ServerResponse, webhook: ReceivedWebhook) => unknown;
  /** Those that the official library takes for genuine with this secret. Throws if one is not. */
  verified(secret: string): readonly ReceivedWebhook[];
  close(): Promise<void>;
}

const message = z.looseObject({
  type: z.string(),
  timestamp: z.string(),
  data: z.looseObject({ order_id: z.string().optional(), seq: z.number().optional() }),
});

export async function startReceiver(): Promise<WebhookReceiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      );
      const body = Buffer.concat(chunks).toString();
      const json = message.parse(JSON.parse(body));
      const id = headers['webhook-id'] ?? '';
      const webhook = { id, headers, body, json, atMs: Date.now() };
      receiver.received.push(webhook);
      receiver.answer(response, webhook);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${address.port}/hooks`,
    received: [],
    answer: (response) => response.writeHead(204).end(),
    verified(secret) {
      for (const { body, headers } of receiver.received) {
        new Webhook(secret).verify(body, { ...headers });
      }
      return receiver.received;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
