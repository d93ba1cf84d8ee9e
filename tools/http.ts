/** The tools' HTTP calls to the API and the sandbox: bounded in time, JSON in and out. */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';

export interface Call {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Whose API key to send: one of the keys every local stack has. */
  readonly role?: 'storefront' | 'operator' | 'admin';
  readonly body?: unknown;
  /** In place of the usual ones, such as an Idempotency-Key that was sent before. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default 20 s. */
  readonly timeoutMs?: number | undefined;
}

export interface HttpResult {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  readonly tookMs: number;
}

const TIMEOUT_MS = 20_000;
const PROBE_TIMEOUT_MS = 1_500;
const DATA = 'data: ';

/** Rejects when there is no response in time, or when the signal aborts. */
export async function call(request: Call): Promise<HttpResult> {
  const { url, method = 'GET', role, body, headers, signal, timeoutMs = TIMEOUT_MS } = request;
  const timeout = AbortSignal.timeout(timeoutMs);
  const startedAt = performance.now();
  const response = await fetch(url, {
    method,
    headers: {
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
      ...(role && { authorization: `Bearer hf_local_${role}` }),
      ...headers,
    },
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const tookMs = performance.now() - startedAt;
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
    tookMs,
  };
}

/** A call that has to succeed with a body of this schema. Rejects otherwise. */
export async function callFor<T>(request: Call, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await call(request);
  const parsed = schema.safeParse(body);
  if (status < 300 && parsed.success) return parsed.data;
  const shown = JSON.stringify(body).slice(0, 300);
  throw new Error(`${request.method ?? 'GET'} ${request.url} returned ${status}: ${shown}`);
}

/** The data of each message of a stream of events. Rejects when there is none, or when the signal aborts. */
export async function* streamed(
  request: Pick<Call, 'url' | 'role'> & { readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const { url, role, signal } = request;
  const headers = { accept: 'text/event-stream', authorization: `Bearer hf_local_${role}` };
  const { ok, status, body } = await fetch(url, { headers, signal });
  if (!ok || body === null) throw new Error(`GET ${url} returned ${status}`);
  let rest = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith(DATA)) yield line.slice(DATA.length);
  }
}

/** True when the address returns 200 in time. */
export async function returnsOk(url: string): Promise<boolean> {
  try {
    return (await call({ url, timeoutMs: PROBE_TIMEOUT_MS })).status === 200;
  } catch {
    return false;
  }
}
