/** Reads a webhook receiver's response, as little of it as is useful. */
import type { IncomingMessage } from 'node:http';
import { headOf, toStorable } from '../../domain/text.ts';

/** A longer body is a download, not a response. */
const MAX_READ_BYTES = 64 * 1_024;
const KEPT_LENGTH = 1_024;
/** A longer Retry-After is cut to this. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/**
 * The beginning of the body as text. The status is known by now, so a body that breaks off or never
 * ends does not change the outcome.
 */
export async function readBodyHead(
  response: IncomingMessage,
  signal: AbortSignal,
): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  const stop = (): void => void response.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) break;
      if (bytes < KEPT_LENGTH) kept.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > MAX_READ_BYTES) break;
    }
  } catch {
    // The part read so far is kept.
  } finally {
    signal.removeEventListener('abort', stop);
    response.destroy();
  }
  return headOf(toStorable(Buffer.concat(kept).toString('utf8')), KEPT_LENGTH);
}

/** Retry-After in ms: a number of seconds or an HTTP date (RFC 9110, 10.2.3). Null: missing or invalid. */
export function retryAfterOf(value: string | undefined, now = new Date()): number | null {
  if (value === undefined) return null;
  const seconds = /^\d{1,10}$/.test(value);
  // A date begins with the day's name; Date.parse alone takes "-5" for one.
  if (!seconds && !/^[A-Z][a-z]{2}/.test(value)) return null;
  const waitMs = seconds ? Number(value) * 1_000 : Date.parse(value) - now.getTime();
  if (!Number.isFinite(waitMs)) return null;
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
