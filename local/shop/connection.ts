/**
 * Calls to the API, as the server of any storefront makes them: with the storefront's key, which never
 * reaches the browser, and with a deadline each.
 */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { z } from 'zod';

/** What came back from a call, and when. */
export interface Answer {
  /** Null when there was no response. */
  readonly status: number | null;
  readonly afterMs: number;
  /** The JSON body; null without one. */
  readonly body: unknown;
  readonly retryAfterSeconds: number | null;
  /** The stored response of an earlier request with the same Idempotency-Key. */
  readonly replayed: boolean;
}

/** The API did not answer, or not as documented. */
export class ApiUnavailable extends Error {}

export interface ConnectionOptions {
  readonly apiUrl: string;
  readonly storefrontKey: string;
}

export interface Connection {
  /** Null where there is nothing (404). Rejects with ApiUnavailable. */
  read<T>(path: string, schema: z.ZodType<T>): Promise<T | null>;
  write(path: string, key: string, body?: object): Promise<Answer>;
  /** The data of each server-sent event. Rejects with ApiUnavailable. */
  stream(path: string, signal: AbortSignal): AsyncIterable<unknown>;
}

const READ_TIMEOUT_MS = 5_000;
/** Longer than the API's own deadline of a request. */
const WRITE_TIMEOUT_MS = 20_000;
/** The API ends a stream earlier, and the browser then asks again. */
const STREAM_LIFETIME_MS = 20 * 60_000;

export function createConnection({ apiUrl, storefrontKey }: ConnectionOptions): Connection {
  const authorization = `Bearer ${storefrontKey}`;
  const urlOf = (path: string): string => new URL(path, apiUrl).href;
  return {
    read: async (path, schema) => {
      const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
      const response = await reach(() =>
        fetch(urlOf(path), { headers: { authorization }, signal }),
      );
      const body: unknown = await reach(() => response.json());
      if (response.status === 404) return null;
      const parsed = schema.safeParse(body);
      if (response.ok && parsed.success) return parsed.data;
      throw new ApiUnavailable(`GET ${path} was answered with ${response.status}`);
    },
    write: (path, key, body) => write(urlOf(path), { authorization, key, body }),
    stream: async function* (path, signal) {
      const response = await reach(() =>
        fetch(urlOf(path), {
          headers: { authorization, accept: 'text/event-stream' },
          signal: AbortSignal.any([signal, AbortSignal.timeout(STREAM_LIFETIME_MS)]),
        }),
      );
      if (!response.ok || response.body === null) {
        throw new ApiUnavailable(`the stream was answered with ${response.status}`);
      }
      yield* messagesIn(response.body);
    },
  };
}

async function write(
  url: string,
  {
    authorization,
    key,
    body,
  }: { readonly authorization: string; readonly key: string; readonly body: object | undefined },
): Promise<Answer> {
  const startedMs = performance.now();
  const headers = {
    authorization,
    ...(body !== undefined && { 'content-type': 'application/json' }),
    'idempotency-key': key,
    // Every step of the checkout with its duration and attempts in Temporal's Web UI.
    prefer: 'inspectable',
  };
  const signal = AbortSignal.timeout(WRITE_TIMEOUT_MS);
  const afterMs = (): number => Math.round(performance.now() - startedMs);
  try {
    const sent = body === undefined ? null : JSON.stringify(body);
    const response = await fetch(url, { method: 'POST', headers, body: sent, signal });
    const text = await response.text();
    const retryAfter = response.headers.get('retry-after');
    return {
      status: response.status,
      afterMs: afterMs(),
      body: jsonOf(text),
      retryAfterSeconds: retryAfter === null ? null : Number(retryAfter),
      replayed: response.headers.get('idempotent-replayed') === 'true',
    };
  } catch {
    // Whether it was carried out is unknown; the same key asks again.
    const nothing = { status: null, body: null, retryAfterSeconds: null, replayed: false };
    return { ...nothing, afterMs: afterMs() };
  }
}

async function* messagesIn(body: ReadableStream<Uint8Array>): AsyncIterable<unknown> {
  const messages = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  try {
    for await (const { data } of messages) yield JSON.parse(data);
  } catch (error) {
    throw new ApiUnavailable('the stream was cut off', { cause: error });
  }
}

async function reach<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new ApiUnavailable('the API did not answer', { cause: error });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
