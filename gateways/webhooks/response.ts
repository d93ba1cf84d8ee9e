/** Reads a webhook receiver's response, as little of it as is useful. */
import type { IncomingMessage } from 'node:http';
import { headOf, toStorable } from '../../domain/text.ts';

/** A longer body is a download, not a response. */
const MAX_READ_BYTES = 64 * 1_024;
const KEPT_LENGTH = 1_024;

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
