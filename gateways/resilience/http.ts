/**
 * HTTP for the adapters: bodies are read up to a limit, redirects are not followed, and every network
 * failure is a `ProviderFault` with a technical reason. It knows no provider.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isForeignId, isLine, toInstant } from '../../domain/text.ts';
import { currentTraceHeaders, inSpan, type SpanStart } from '../../telemetry/tracing.ts';
import { NotUnderstood, ProviderFault } from './faults.ts';

/** Providers' responses are a few kilobytes; anything near this size is not theirs. */
const MAX_RESPONSE_BYTES = 1_048_576;
/** A read may be a page of a list: a hundred records, each with metadata of any length. */
const MAX_PAGE_BYTES = 16 * 1_048_576;
/** In characters; a label has less. */
const MAX_LINE = 200;

interface ReadResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** `fetch` without redirects, as a span of the current trace. Throws ProviderFault without a response. */
export function fetchOnce(url: string, init: RequestInit): Promise<ReadResponse> {
  const { method = 'GET' } = init;
  return inSpan(spanOf(url, method), async (span) => {
    try {
      const headers = new Headers(init.headers);
      const { traceparent } = currentTraceHeaders();
      if (traceparent !== undefined) headers.set('traceparent', traceparent);
      const response = await fetch(url, { ...init, headers, redirect: 'manual' });
      const { status } = response;
      span.describe({
        attributes: { 'http.response.status_code': status },
        error: status >= 400 ? String(status) : null,
      });
      const maxBytes = method === 'GET' ? MAX_PAGE_BYTES : MAX_RESPONSE_BYTES;
      const text = await readLimited(response, maxBytes);
      return { status, headers: response.headers, text };
    } catch (error) {
      const fault = isNetworkError(error) ? new ProviderFault(networkReason(error)) : error;
      if (fault instanceof ProviderFault) span.describe({ error: fault.reason });
      throw fault;
    }
  });
}

/** Ids in paths, such as `ord_01...` and `pi_3...`: a name has few values. */
const ID_IN_PATH = /(?<=\/)[a-z]{2,4}_[^/]*\d[^/]*/g;

/** Attributes of https://opentelemetry.io/docs/specs/semconv/http/http-spans/, without query and ids. */
function spanOf(url: string, method: string): SpanStart {
  const { hostname, port, protocol, pathname } = new URL(url);
  const template = pathname.replaceAll(ID_IN_PATH, '*');
  return {
    name: `${method} ${template}`,
    kind: 'client',
    attributes: {
      'http.request.method': method,
      'url.template': template,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    },
  };
}

/** Parses a response's JSON. Throws ProviderFault when it is not JSON. */
export function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProviderFault('answer_not_json');
  }
}

/** Reads the body after the schema. Throws NotUnderstood when it does not match. */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw new NotUnderstood('answer_not_understood');
  return result.data;
}

/** Text of a provider that people read, such as a tracking number: one line, trimmed. */
export const answerLine = z
  .string()
  .trim()
  .refine((text) => isLine(text, MAX_LINE));
/** An id that the provider chose. */
export const answerId = z.string().refine(isForeignId);

/** A time of the provider's clock, in UTC from here on. */
export const answerTime = z.string().transform((text, context) => {
  const instant = toInstant(text);
  if (instant !== null) return instant;
  context.addIssue('not a time');
  return z.NEVER;
});

/** The bytes as text, or null when they are not UTF-8: a guess would be stored. */
export function utf8OrNull(bytes: Uint8Array): string | null {
  try {
    return UTF_8.decode(bytes);
  } catch {
    return null;
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** The bytes as JSON, or null, which no schema accepts. */
export function jsonOrNull(bytes: Uint8Array): unknown {
  const text = utf8OrNull(bytes);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Stands for what cannot be an id itself: too long, or not printable. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256/${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * A provider's own code (`out_of_stock`), or the fallback when it is not a code: prose may name a
 * person, and these codes enter workflow histories.
 */
export function errorCode(fallback: string, code: string | null | undefined): string {
  return /^[a-z][a-z0-9_]{0,63}$/.test(code ?? '') && code ? code : fallback;
}

async function readLimited(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a response body is made of bytes');
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new ProviderFault('answer_too_large');
    chunks.push(chunk);
  }
  const text = utf8OrNull(Buffer.concat(chunks));
  if (text === null) throw new ProviderFault('answer_not_utf8');
  return text;
}

/**
 * `fetch` rejects with a TypeError whose cause is the network's error, or with the abort's
 * DOMException. A TypeError without a cause is a wrong argument: our bug.
 */
function isNetworkError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return true;
  return error instanceof TypeError && error.cause instanceof Error;
}

function networkReason(error: Error): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'deadline';
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') {
    return `connection_${cause.code.toLowerCase()}`;
  }
  return 'connection_failed';
}
