/** Detects requests for a stream, reads the cursor to resume from, and builds the response. */
import type { Context } from 'hono';
import { ProblemError } from './problems.ts';

/** True for a GET whose Accept names `text/event-stream` (RFC 9110 §12.5.1). */
export function wantsStream(c: Context): boolean {
  // Hono serves HEAD with the GET handler, whose body would never be read.
  if (c.req.method !== 'GET' || c.req.raw.method !== 'GET') return false;
  return (c.req.header('accept') ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'text/event-stream' && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  });
}

/** The cursor to resume after. A reconnecting EventSource sends the header, so it takes precedence. */
export function resumeCursor(c: Context, after: string | undefined): string | undefined {
  return c.req.header('last-event-id') || after;
}

export function invalidCursor(): ProblemError {
  const errors = [{ detail: 'Invalid cursor.', parameter: 'after' }];
  const detail = 'Send the cursor or the id of an existing event.';
  return new ProblemError({ code: 'invalid_request', detail, errors });
}

export function streamResponse(c: Context, body: ReadableStream<Uint8Array>) {
  return c.body(body, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Buffering proxies would delay events.
    'x-accel-buffering': 'no',
    // The connection closes with the stream, so that a shutdown does not wait for it.
    connection: 'close',
  });
}
