/**
 * A webhook receiver that fails a seeded share of the requests with 500 and keeps which events it has
 * received. Signatures are checked by the official library, on the raw bytes.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { callFor } from '../http.ts';
import { createRandom } from '../random.ts';

export interface Receiver {
  /** How often each event was received, by its id. */
  readonly received: ReadonlyMap<string, number>;
  /** Requests it failed with 500. */
  readonly failed: number;
  /** Requests that are not valid webhooks: one line each. */
  readonly invalid: readonly string[];
  /** From here on it accepts everything. */
  clearFaults(): void;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  readonly api: string;
  readonly seed: number;
  /** Share of the requests it fails. */
  readonly failureShare: number;
}

const MAX_INVALID = 100;

const endpointSchema = z.object({ secret: z.string() });
const messageSchema = z.object({ data: z.object({ event_id: z.string() }) });

/** Listens on a free port and subscribes to every type of event. */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { api, seed, failureShare } = options;
  const random = createRandom(seed, 'receiver');
  const received = new Map<string, number>();
  const invalid: string[] = [];
  let failed = 0;
  let isFailing = true;
  let secret = '';
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Null when the sender died: nothing was received.
    const body = await text(request).catch(() => null);
    if (body === null) return;
    const id = String(request.headers['webhook-id']);
    const problem = problemOf(request, body, secret);
    if (problem !== null && invalid.length < MAX_INVALID) invalid.push(`webhook ${id}: ${problem}`);
    const fails = isFailing && random.chance(failureShare);
    if (fails) failed += 1;
    else received.set(id, (received.get(id) ?? 0) + 1);
    response.writeHead(fails ? 500 : 204).end();
  };
  const server = createServer((request, response) => void receive(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const body = { url: `http://127.0.0.1:${address.port}/hooks` };
  const subscribe = { url: `${api}/v1/webhook-endpoints`, method: 'POST', body } as const;
  ({ secret } = await callFor({ ...subscribe, role: 'operator' }, endpointSchema));
  return {
    received,
    invalid,
    get failed() {
      return failed;
    },
    clearFaults: () => {
      isFailing = false;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Why the request is no valid webhook; null when it is. */
function problemOf({ headers }: IncomingMessage, body: string, secret: string): string | null {
  try {
    const signed = Object.entries(headers).map(([name, value]) => [name, String(value)]);
    const verified = new Webhook(secret).verify(body, Object.fromEntries(signed));
    const { event_id: event } = messageSchema.parse(verified).data;
    return event === headers['webhook-id'] ? null : `carries event ${event}`;
  } catch (error) {
    return error instanceof Error ? error.message : 'unreadable';
  }
}
