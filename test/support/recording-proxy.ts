/** An HTTP server in front of another: it records what passes, and can answer some calls itself. */
import { readRequest, startHttpServer } from './http-server.ts';

export interface Exchange {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Of the request. */
  readonly body: string;
  readonly status: number;
  readonly response: unknown;
}

/** `hang`: no answer at all. */
type Answer = { readonly status: number; readonly body: object } | 'hang' | null;

export interface RecordingProxy {
  readonly url: string;
  readonly exchanges: Exchange[];
  /** For the calls that it answers itself; null: forward. */
  answer: (method: string, path: string) => Answer;
  close(): Promise<void>;
}

export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const server = await startHttpServer(async (request, response) => {
    const { method = 'GET' } = request;
    const sent = await readRequest(request);
    const { pathname: path, searchParams: query } = new URL(sent.path, target);
    const own = proxy.answer(method, path);
    if (own === 'hang') return;
    const answered = own ?? (await forward(target, { ...sent, method }));
    const { status, body } = answered;
    proxy.exchanges.push({ method, path, query, body: sent.body, status, response: body });
    const headers = 'headers' in answered ? answered.headers : {};
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  });
  const proxy: RecordingProxy = {
    url: server.url,
    exchanges: [],
    answer: () => null,
    close: server.close,
  };
  return proxy;
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const FORWARDED = ['authorization', 'content-type', 'idempotency-key', 'stripe-version'];

async function forward(target: string, { method, path, headers, body }: Sent) {
  const kept = Object.entries(headers).filter(([name]) => FORWARDED.includes(name));
  const response = await fetch(new URL(path, target), {
    method,
    headers: Object.fromEntries(kept),
    ...(method === 'GET' ? {} : { body }),
  });
  const version = response.headers.get('stripe-version');
  return {
    status: response.status,
    body: JSON.parse(await response.text()),
    headers: version === null ? {} : { 'stripe-version': version },
  };
}
