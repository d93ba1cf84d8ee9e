/** A webhook receiver as a customer would write one: records requests, with a configurable response. */
import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { readRequest, startHttpServer, type ReceivedRequest } from './http-server.ts';

export interface ReceivedWebhook extends ReceivedRequest {
  readonly id: string;
  readonly json: z.infer<typeof message>;
  readonly atMs: number;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /** Answers from here on; 204 by default. */
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
  const server = await startHttpServer(async (request, response) => {
    const sent = await readRequest(request);
    const id = sent.headers['webhook-id'] ?? '';
    const json = message.parse(JSON.parse(sent.body));
    const webhook = { ...sent, id, json, atMs: Date.now() };
    receiver.received.push(webhook);
    receiver.answer(response, webhook);
  });
  const receiver: WebhookReceiver = {
    url: `${server.url}/hooks`,
    received: [],
    answer: (response) => response.writeHead(204).end(),
    verified(secret) {
      for (const { body, headers } of receiver.received) {
        new Webhook(secret).verify(body, { ...headers });
      }
      return receiver.received;
    },
    close: server.close,
  };
  return receiver;
}
