/**
 * HTTP for the adapters: bodies are read up to a limit, redirects are not followed, and every network
 * failure is a `ProviderFault` with a technical reason. It knows no provider.
 */
import type { z } from 'zod';
import { currentTraceHeaders } from '../../telemetry/tracing.ts';
import { ProviderFault } from './guard.ts';

/** Providers' responses are a few kilobytes; anything near this size is not theirs. */
const MAX_RESPONSE_BYTES = 1_048_576;

/** `fetch` without redirects, within the current trace. Throws ProviderFault without a response. */
export async function fetchOnce(
  url: string,
  init: RequestInit,
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  try {
    const headers = new Headers(init.headers);
    const { traceparent } = currentTraceHeaders();
    if (traceparent !== undefined) headers.set('traceparent', traceparent);
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    const text = await readLimited(response);
    return { status: response.status, headers: response.headers, text };
  } catch (error) {
    if (isNetworkError(error)) throw new ProviderFault(networkReason(error));
    throw error;
  }
}

/** Parses a response's JSON. Throws ProviderFault when it is not JSON. */
export function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProviderFault('answer_not_json');
  }
}

/** Reads the body after the schema. Throws ProviderFault when it does not match. */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw new ProviderFault('answer_not_understood');
  return result.data;
}

/** The text as JSON, or null, which no schema accepts. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * A provider's own code (`out_of_stock`), or the fallback when it is not a code: prose may name a
 * person, and these codes enter workflow histories (G8).
 */
export function errorCode(fallback: string, code: string | null | undefined): string {
  return /^[a-z][a-z0-9_]{0,63}$/.test(code ?? '') && code ? code : fallback;
}

async function readLimited(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a response body is made of bytes');
    bytes += chunk.byteLength;
    if (bytes > MAX_RESPONSE_BYTES) throw new ProviderFault('answer_too_large');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
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
