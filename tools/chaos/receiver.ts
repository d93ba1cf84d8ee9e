/**
 * A shop's webhook receiver on a bad day: it answers a seeded share of what comes with 500, and keeps
 * which events it has taken. Signatures are checked by the official library, on the raw bytes.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { createRandom } from './random.ts';

export interface Receiver {
  /** How often each event was taken, by its id. */
  readonly taken: ReadonlyMap<string, number>;
  /** Requests answered with 500. */
  readonly failed: number;
  /** What no receiver should see: one line each. */
  readonly wrong: readonly string[];
  /** From here on it takes everything. */
  clearFaults(): void;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  readonly api: string;
  readonly seed: number;
  /** Share of the requests it fails. */
  readonly fails: number;
}

const CONTROL_TIMEOUT_MS = 10_000;
const MAX_WRONG = 100;

const endpointForm = z.object({ secret: z.string() });
const messageForm = z.object({ data: z.object({ event_id: z.string() }) });

/** Listens on a free port and has itself sent every event from now on. */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { api, seed } = options;
  const random = createRandom(seed, 'receiver');
  const taken = new Map<string, number>();
  const wrong: string[] = [];
  let failed = 0;
  let isHealed = false;
  let secret = '';
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    // Cut by the death of the sender: nothing was received.
    if (body === null) return;
    const said = lookAt(request, body, secret);
    if (said.wrong !== null && wrong.length < MAX_WRONG) wrong.push(said.wrong);
    const fails = !isHealed && random.chance(options.fails);
    if (fails) failed += 1;
    else taken.set(said.id, (taken.get(said.id) ?? 0) + 1);
    response.writeHead(fails ? 500 : 204).end();
  };
  const server = createServer((request, response) => void receive(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  secret = await subscribe(api, `http://127.0.0.1:${address.port}/hooks`);
  return {
    taken,
    wrong,
    get failed() {
      return failed;
    },
    clearFaults: () => {
      isHealed = true;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  } catch {
    return null;
  }
}

/** The event's id, and what is wrong with the request. */
function lookAt(
  { headers }: IncomingMessage,
  body: string,
  secret: string,
): { readonly id: string; readonly wrong: string | null } {
  const id = String(headers['webhook-id']);
  try {
    const signed = Object.entries(headers).map(([name, value]) => [name, String(value)]);
    const verified = new Webhook(secret).verify(body, Object.fromEntries(signed));
    const event = messageForm.parse(verified).data.event_id;
    return { id, wrong: event === id ? null : `webhook ${id} carries event ${event}` };
  } catch (error) {
    return { id, wrong: `webhook ${id}: ${error instanceof Error ? error.message : 'unreadable'}` };
  }
}

/** Registers the address for every type; gives the secret. */
async function subscribe(api: string, url: string): Promise<string> {
  const answer = await fetch(`${api}/v1/webhook-endpoints`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer hf_local_operator',
      'content-type': 'application/json',
      'idempotency-key': 'chaos-receiver',
    },
    body: JSON.stringify({ url }),
    signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS),
  });
  return endpointForm.parse(await answer.json()).secret;
}
