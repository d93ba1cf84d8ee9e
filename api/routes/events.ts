/** Routes of the event feed: pages, or a stream. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { cursorNow, LOG_START, readLog, type LogCursor } from '../../prisma/events/event-log.ts';
import { feedEvent, feedSource, cursorPosition } from '../events/event-feed.ts';
import { clientOf, type ApiEnv } from '../middleware/request.ts';
import { invalidRequest, ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import { feedHeaders, feedQuery, feedSchema, streamContent } from '../schemas/events.ts';
import { problems } from '../schemas/problems.ts';
import type { Services } from '../context.ts';
import {
  cursorNotFound,
  resumeCursor,
  streamResponse,
  wantsStream,
  type RequestCursor,
} from '../http/sse-response.ts';

export function eventRoutes(services: Services) {
  const { db, logTail, feedStreams } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid }).openapi(feedRoute, async (c) => {
    const { after, order, types = [], limit } = c.req.valid('query');
    const stream = wantsStream(c);
    const cursor = await parseCursor(services, resumeCursor(c, after, stream));
    const newestFirst = order === 'newest_first';
    if (stream) {
      if (newestFirst) throw notAsStream();
      const from = { after: cursor ?? (await cursorNow(db)), types };
      const source = feedSource({ db, log: logTail }, from);
      return streamResponse(c, feedStreams.open(source, clientOf(c)));
    }
    // One more event than the page has, or the end of what was looked at, means that there may be more.
    const found = await readLog(db, { after: cursor, newestFirst, types, limit: limit + 1 });
    const events = found.events.slice(0, limit);
    const last = events.at(-1)?.cursor ?? cursor ?? LOG_START;
    const isCut = found.events.length > limit;
    return c.json(
      {
        object: 'list' as const,
        url: '/v1/events',
        data: events.map((event) => ({ ...feedEvent(event), data: { ...event.data } })),
        has_more: isCut || found.next !== last,
        next: isCut ? last : found.next,
      },
      200,
    );
  });
}

const feedRoute = createRoute({
  method: 'get',
  path: '/v1/events',
  operationId: 'listEvents',
  'x-role': 'operator',
  tags: ['Events'],
  summary: 'List events, or stream new ones (`Accept: text/event-stream`)',
  request: { query: feedQuery, headers: feedHeaders },
  responses: {
    200: {
      description: 'CloudEvents 1.0.',
      content: { 'application/json': { schema: feedSchema }, ...streamContent },
    },
    ...problems('event_not_found', 'too_many_streams'),
  },
});

function notAsStream(): ProblemError {
  const detail = 'A stream has new events only, oldest first.';
  return new ProblemError(invalidRequest([{ detail, parameter: 'order' }]));
}

/** Null without a cursor. Throws ProblemError `event_not_found`. */
async function parseCursor({ db }: Services, cursor: RequestCursor): Promise<LogCursor | null> {
  if (cursor === null) return null;
  const position = await cursorPosition(db, cursor.text);
  if (position === null) throw cursorNotFound(cursor);
  return position;
}
