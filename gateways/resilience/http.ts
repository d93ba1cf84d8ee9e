/**
 * HTTP for the adapters: a body is read up to a limit, redirects are not followed, and everything a
 * network can do to a call is one `ProviderFault` with a technical reason. It knows no provider.
 */
import { currentTraceHeaders } from '../../telemetry/tracing.ts';
import { ProviderFault } from './guard.ts';

/** Answers of the providers are a few kilobytes; anything near this is not theirs. */
const MAX_ANSWER_BYTES = 1_048_576;

/**
 * `fetch` without redirects, within the trace at hand. Throws ProviderFault for whatever keeps the
 * answer from arriving.
 */
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

/** The JSON of an answer. Throws ProviderFault when it is none. */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProviderFault('answer_not_json');
  }
}

/**
 * A provider's own word, kept only if it is a code (`out_of_stock`). Prose may name a person, and
 * these words enter workflow histories (G8).
 */
export function errorCode(fallback: string, word: string | null | undefined): string {
  return word !== null && word !== undefined && /^[a-z][a-z0-9_]{0,63}$/.test(word)
    ? word
    : fallback;
}

async function readLimited(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a response body is made of bytes');
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new ProviderFault('answer_too_large');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * `fetch` rejects with a TypeError that carries the network's error as its cause, or with the
 * abort's DOMException. A TypeError without a cause is a wrong argument: ours.
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
