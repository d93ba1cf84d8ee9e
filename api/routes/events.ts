/** Routes of the event feed: pages, or a stream. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { cursorNow, LOG_START, readLog, type LogCursor } from '../../prisma/events/event-log.ts';
import { feedEvent, feedSource, cursorPosition } from '../events/event-feed.ts';
import { requireRole, type ApiEnv } from '../middleware/request.ts';
import { onInvalid } from '../http/respond.ts';
import { problemResponses } from '../schemas/common.ts';
import { lastEventId } from '../schemas/conditions.ts';
import { feedQuery, feedSchema, streamContent } from '../schemas/events.ts';
import type { Services } from '../context.ts';
import { invalidCursor, resumeCursor, streamResponse, wantsStream } from '../http/sse-response.ts';

export function eventRoutes(services: Services) {
  const { db, logTail, feedStreams } = services;
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid }).openapi(feedRoute, async (c) => {
    const { after, types = [], limit } = c.req.valid('query');
    if (wantsStream(c)) {
      const cursor = await parseCursor(services, resumeCursor(c, after));
      const from = { after: cursor ?? (await cursorNow(db)), types };
      const source = feedSource({ db, log: logTail }, from);
      return streamResponse(c, feedStreams.open(source, c.req.raw.signal));
    }
    const start = (await parseCursor(services, after)) ?? LOG_START;
    const found = await readLog(db, { after: start, types, limit: limit + 1 });
    const events = found.slice(0, limit);
    c.header('cache-control', 'no-store');
    return c.json(
      {
        object: 'list' as const,
        url: '/v1/events',
        data: events.map((event) => ({ ...feedEvent(event), data: { ...event.data } })),
        has_more: found.length > limit,
        next: events.at(-1)?.cursor ?? start,
      },
      200,
    );
  });
}

const feedRoute = createRoute({
  method: 'get',
  path: '/v1/events',
  tags: ['Events'],
  summary: 'List events, or stream new ones (`Accept: text/event-stream`)',
  middleware: [requireRole('operator')] as const,
  request: { query: feedQuery, headers: z.object(lastEventId) },
  responses: {
    200: {
      description: 'CloudEvents 1.0.',
      content: { 'application/json': { schema: feedSchema }, ...streamContent },
    },
    ...problemResponses,
  },
});

/** Null without a cursor. Throws ProblemError `invalid_request` for an invalid one. */
async function parseCursor({ db }: Services, text: string | undefined): Promise<LogCursor | null> {
  if (text === undefined) return null;
  const cursor = await cursorPosition(db, text);
  if (cursor === null) throw invalidCursor();
  return cursor;
}
