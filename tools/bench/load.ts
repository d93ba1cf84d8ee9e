/**
 * Generates HTTP load and collects the results. Closed: a number of clients that each wait for their
 * response before the next request. Open: a rate of requests, however long responses take.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface LoadResult {
  /** HTTP status, or 0 without a response. */
  readonly status: number;
  /** The problem's code, when the response is one. */
  readonly code: string | null;
  readonly tookMs: number;
  /** From the start of the load to the response. */
  readonly atMs: number;
}

export interface LoadResponse extends LoadResult {
  readonly body: string;
  /** From `Retry-After`; null when the response is final. */
  readonly retryAfterMs: number | null;
  /** The header `Cache-Status`; null without one. */
  readonly cacheStatus: string | null;
}

export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Load {
  readonly url: string;
  readonly next: () => LoadRequest;
  readonly forMs: number;
  /** Called with each response; must not reject. A closed client waits for it before its next request. */
  readonly settled?: (response: LoadResponse) => Promise<void>;
}

/** An open load against a dead server must end. */
const MAX_IN_FLIGHT = 5_000;
const TIMEOUT_MS = 30_000;
const LABEL_WIDTH = 8;

/** A number of clients, each with one request at a time. */
export async function closedLoad(load: Load & { readonly clients: number }): Promise<LoadResult[]> {
  const send = createSender(load.url);
  const startedMs = performance.now();
  const results: LoadResult[] = [];
  const runClient = async (): Promise<void> => {
    while (performance.now() - startedMs < load.forMs) {
      const response = await send(load.next(), startedMs);
      results.push(response);
      await load.settled?.(response);
    }
  };
  await Promise.all(Array.from({ length: load.clients }, runClient));
  send.close();
  return results;
}

/** `perSecond` requests, evenly spaced; resolves with the last response. */
export async function openLoad(load: Load & { readonly perSecond: number }): Promise<LoadResult[]> {
  const send = createSender(load.url);
  const startedMs = performance.now();
  const sent: Promise<LoadResult>[] = [];
  let inFlight = 0;
  const sendNext = async (): Promise<LoadResult> => {
    const response = await send(load.next(), startedMs);
    void load.settled?.(response);
    return response;
  };
  const total = Math.round((load.perSecond * load.forMs) / 1_000);
  while (sent.length < total) {
    const due = Math.ceil(((performance.now() - startedMs) * load.perSecond) / 1_000);
    while (sent.length < Math.min(due, total)) {
      if (inFlight >= MAX_IN_FLIGHT) throw new Error('the server does not respond any more');
      inFlight += 1;
      sent.push(sendNext().finally(() => (inFlight -= 1)));
    }
    await delay(2);
  }
  const results = await Promise.all(sent);
  send.close();
  return results;
}

/** The value below which `share` of the values are; 0 without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The same of response times, in ms. */
export function latency(results: readonly LoadResult[], share: number): number {
  return percentile(
    results.map(({ tookMs }) => tookMs),
    share,
  );
}

/** E.g. `120 requests, p50 12 ms, p99 40 ms`. */
export function summary(results: readonly LoadResult[]): string {
  const [p50, p99] = [latency(results, 0.5).toFixed(0), latency(results, 0.99).toFixed(0)];
  return `${results.length} requests, p50 ${p50} ms, p99 ${p99} ms`;
}

/** How many responses of each kind, e.g. `201 x 40, 503 overloaded x 2`. */
export function kinds(results: readonly Pick<LoadResult, 'status' | 'code'>[]): string {
  const counts = new Map<string, number>();
  for (const { status, code } of results) {
    const kind = code === null ? String(status) : `${status} ${code}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${kind} x ${count}`).join(', ');
}

/** One line of a benchmark's output. */
export function print(label: string, text: string): void {
  process.stdout.write(`${label.padEnd(LABEL_WIDTH)} ${text}\n`);
}

/** Sends requests over kept-alive connections. */
export function createSender(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_IN_FLIGHT });
  const send = async (outgoing: LoadRequest, startedMs: number): Promise<LoadResponse> => {
    const sentMs = performance.now();
    const { status, body, ...headers } = await exchange(url, agent, outgoing);
    const nowMs = performance.now();
    const [, code = null] = /"code":"([a-z_]+)"/.exec(status >= 400 ? body : '') ?? [];
    return { status, body, ...headers, code, tookMs: nowMs - sentMs, atMs: nowMs - startedMs };
  };
  return Object.assign(send, { close: () => agent.destroy() });
}

const NO_RESPONSE = { status: 0, body: '', retryAfterMs: null, cacheStatus: null } as const;

function exchange(
  url: string,
  agent: Agent,
  { method, path, headers = {}, body }: LoadRequest,
): Promise<Pick<LoadResponse, 'status' | 'body' | 'retryAfterMs' | 'cacheStatus'>> {
  return new Promise((resolve) => {
    const outgoing = request(`${url}${path}`, { method, headers, agent, timeout: TIMEOUT_MS });
    const fail = (): void => resolve(NO_RESPONSE);
    outgoing.once('response', (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (text += chunk));
      const seconds = incoming.headers['retry-after'];
      const retryAfterMs = seconds === undefined ? null : Number(seconds) * 1_000;
      const cacheStatus = incoming.headers['cache-status']?.toString() ?? null;
      incoming.once('end', () =>
        resolve({ status: incoming.statusCode ?? 0, body: text, retryAfterMs, cacheStatus }),
      );
      incoming.once('error', fail);
    });
    outgoing.once('timeout', () => outgoing.destroy());
    outgoing.once('error', fail);
    outgoing.end(body);
  });
}
