/** Reads what a webhook's receiver answers, as little of it as is of use. */
import type { IncomingMessage } from 'node:http';
import { headOf } from '../../domain/webhook.ts';

/** Read beyond this and it is a download, not an answer. */
const MAX_READ_BYTES = 64 * 1_024;
const KEPT_LENGTH = 1_024;
/** A receiver that asks for more is tried all the same. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/**
 * The beginning of the body as text. The status has been said by now, so a body that stops half-way
 * or never ends takes nothing from the answer.
 */
export async function readBodyHead(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  const stop = (): void => void answer.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of answer) {
      if (!Buffer.isBuffer(chunk)) break;
      if (bytes < KEPT_LENGTH) kept.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > MAX_READ_BYTES) break;
    }
  } catch {
    // What was read until then is what there is.
  } finally {
    signal.removeEventListener('abort', stop);
    answer.destroy();
  }
  // PostgreSQL keeps no NUL in a text.
  return headOf(Buffer.concat(kept).toString('utf8').replaceAll('\0', ''), KEPT_LENGTH);
}

/** Retry-After in ms: a number of seconds or an HTTP date (RFC 9110, 10.2.3). Null: none, or garbled. */
export function retryAfterOf(value: string | undefined, now = new Date()): number | null {
  if (value === undefined) return null;
  const seconds = /^\d{1,10}$/.test(value);
  // A date begins with the day's name; Date.parse alone takes "-5" for one.
  if (!seconds && !/^[A-Z][a-z]{2}/.test(value)) return null;
  const waitMs = seconds ? Number(value) * 1_000 : Date.parse(value) - now.getTime();
  if (!Number.isFinite(waitMs)) return null;
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
