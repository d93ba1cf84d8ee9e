/**
 * A generator of HTTP load, and what came of it. Closed: so many shoppers, each waits for its answer
 * before it asks again. Open: so many requests a second, whatever the answers do. It judges nothing.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface Answer {
  /** HTTP status, or 0 when there was no answer. */
  readonly status: number;
  /** Code of the problem, when it is one. */
  readonly code: string | null;
  readonly tookMs: number;
  /** From the beginning of the load to the answer. */
  readonly atMs: number;
}

export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Load {
  readonly url: string;
  readonly ask: () => Ask;
  readonly forMs: number;
}

/** Requests under way at the most: an open load against a dead server must end. */
const MAX_UNDER_WAY = 5_000;
const TIMEOUT_MS = 30_000;

/** `shoppers` at once, each after its own answer. */
export async function closedLoad(load: Load & { readonly shoppers: number }): Promise<Answer[]> {
  const send = createSender(load.url);
  const startedMs = performance.now();
  const answers: Answer[] = [];
  const shop = async (): Promise<void> => {
    while (performance.now() - startedMs < load.forMs) {
      answers.push(await send(load.ask(), startedMs));
    }
  };
  await Promise.all(Array.from({ length: load.shoppers }, shop));
  send.close();
  return answers;
}

/** `perSecond` requests, evenly; resolves when the last is answered. */
export async function openLoad(load: Load & { readonly perSecond: number }): Promise<Answer[]> {
  const send = createSender(load.url);
  const startedMs = performance.now();
  const sent: Promise<Answer>[] = [];
  let underWay = 0;
  const total = Math.round((load.perSecond * load.forMs) / 1_000);
  while (sent.length < total) {
    const due = Math.ceil(((performance.now() - startedMs) * load.perSecond) / 1_000);
    while (sent.length < Math.min(due, total)) {
      if (underWay >= MAX_UNDER_WAY) throw new Error('the server no longer answers');
      underWay += 1;
      const answer = send(load.ask(), startedMs);
      sent.push(answer.finally(() => (underWay -= 1)));
    }
    await delay(2);
  }
  const answers = await Promise.all(sent);
  send.close();
  return answers;
}

/** The time below which `share` of the answers came, in ms; 0 without answers. */
export function percentile(answers: readonly Answer[], share: number): number {
  const sorted = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** How many answers of each kind, e.g. `201 x 40, 503 overloaded x 2`. */
export function kinds(answers: readonly Answer[]): string {
  const counts = new Map<string, number>();
  for (const { status, code } of answers) {
    const kind = code === null ? String(status) : `${status} ${code}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${kind} x ${count}`).join(', ');
}

/** Sends one request after the other or side by side, over connections that are kept. */
export function createSender(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_UNDER_WAY });
  const send = async (asked: Ask, startedMs: number): Promise<Answer & { body: string }> => {
    const sentMs = performance.now();
    const { status, body } = await exchange(url, agent, asked);
    const nowMs = performance.now();
    const [, code = null] = /"code":"([a-z_]+)"/.exec(status >= 400 ? body : '') ?? [];
    return { status, body, code, tookMs: nowMs - sentMs, atMs: nowMs - startedMs };
  };
  return Object.assign(send, { close: () => agent.destroy() });
}

function exchange(
  url: string,
  agent: Agent,
  asked: Ask,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve) => {
    const { method, path, headers = {}, body } = asked;
    const outgoing = request(`${url}${path}`, { method, headers, agent, timeout: TIMEOUT_MS });
    const none = (): void => resolve({ status: 0, body: '' });
    outgoing.once('response', (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (text += chunk));
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, body: text }));
      incoming.once('error', none);
    });
    outgoing.once('timeout', () => outgoing.destroy());
    outgoing.once('error', none);
    outgoing.end(body);
  });
}
