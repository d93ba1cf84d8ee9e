/** Detects requests for a stream, reads the cursor to resume from, and builds the response. */
import type { Context } from 'hono';
import { preferredType } from './accept.ts';
import { ProblemError } from './problems.ts';

const EVENT_STREAM = 'text/event-stream';

/** True for a GET that prefers a stream to JSON. */
export function wantsStream(c: Context): boolean {
  // Hono serves HEAD with the GET handler, whose body would never be read.
  if (c.req.method !== 'GET' || c.req.raw.method !== 'GET') return false;
  const preferred = preferredType(c.req.header('accept'), ['application/json', EVENT_STREAM]);
  return preferred === EVENT_STREAM;
}

/** Where to begin, and the part of the request that says so; null for the default. */
export type RequestCursor =
  | { readonly text: string; readonly header: 'last-event-id' }
  | { readonly text: string; readonly parameter: 'after' }
  | null;

/** A reconnecting EventSource sends the header, so for a stream it takes precedence. */
export function resumeCursor(
  c: Context,
  after: string | undefined,
  stream: boolean,
): RequestCursor {
  const lastEventId = stream ? (c.req.header('last-event-id') ?? '') : '';
  if (lastEventId !== '') return { text: lastEventId, header: 'last-event-id' };
  return after === undefined ? null : { text: after, parameter: 'after' };
}

/** For a cursor of no event, and for one beyond the end of the log. */
export function cursorNotFound(cursor: RequestCursor): ProblemError {
  const { text: _, ...place } = cursor ?? { text: '' };
  const errors = [{ detail: 'No event is at this place of the log.', ...place }];
  const detail = 'Send the cursor or the id of an existing event.';
  return new ProblemError({ code: 'event_not_found', detail, errors });
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
