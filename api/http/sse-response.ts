/** Whether a client asks for a stream, where it resumes, and the stream as an HTTP answer. */
import type { Context } from 'hono';
import { ProblemError } from './problems.ts';

/** True for a GET whose Accept names `text/event-stream` (RFC 9110 §12.5.1). */
export function wantsStream(c: Context): boolean {
  // Hono answers HEAD by the GET handler: nobody would ever read the body.
  if (c.req.method !== 'GET' || c.req.raw.method !== 'GET') return false;
  return (c.req.header('accept') ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'text/event-stream' && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  });
}

/** Where to go on: the header a reconnecting EventSource sends wins over the address it was given. */
export function resumeCursor(c: Context, after: string | undefined): string | undefined {
  return c.req.header('last-event-id') || after;
}

/** The place does not exist (any more). */
export function invalidCursor(): ProblemError {
  const errors = [{ detail: 'This is no cursor and no id of an event.', parameter: 'after' }];
  const detail = 'There is no such place to go on from.';
  return new ProblemError({ code: 'invalid_request', detail, errors });
}

export function streamAnswer(c: Context, body: ReadableStream<Uint8Array>) {
  return c.body(body, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies that buffer would hold events back.
    'x-accel-buffering': 'no',
    // When the service stops, the connection goes with its stream.
    connection: 'close',
  });
}
