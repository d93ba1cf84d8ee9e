/** The event feed on the wire: CloudEvents 1.0 in JSON. */
import { z } from '@hono/zod-openapi';
import { EVENT_TYPES } from '../../domain/order.ts';
import { limit } from './common.ts';

const MAX_FEED_LIMIT = 500;

const cursor = z.string().regex(/^[\x21-\x7e]{1,100}$/);

export const feedQuery = z.object({
  after: cursor.optional().openapi({
    description: 'A `cursor` or event id. Returns the events after it.',
  }),
  types: z
    .string()
    .max(1_000)
    .transform((list) => list.split(',').map((type) => type.trim()))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .optional()
    .openapi({
      type: 'string',
      description: 'Comma-separated types. Default: all types.',
      example: 'order.placed,order.shipped',
    }),
  limit: limit(MAX_FEED_LIMIT, 100),
});

export const timelineQuery = z.object({
  after: cursor.optional().openapi({
    description: 'A `seq` or the id of an event of the order. Returns the events after it.',
  }),
});

export const cloudEventSchema = z
  .object({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string(),
    type: z.string().openapi({ example: 'order.placed' }),
    subject: z.string().openapi({ description: 'The order.' }),
    time: z.iso.datetime(),
    datacontenttype: z.literal('application/json'),
    sequence: z.string().openapi({
      description: 'The sequence number within the order: without gaps, padded with zeros.',
    }),
    correlationid: z.string(),
    causationid: z.string().optional(),
    traceparent: z.string().optional().openapi({
      description: 'The trace (W3C Trace Context) of the request that placed the order.',
    }),
    data: z.record(z.string(), z.unknown()),
    cursor: z.string(),
  })
  .openapi('CloudEvent');

export const feedSchema = z
  .object({
    object: z.literal('list'),
    url: z.string(),
    data: z.array(cloudEventSchema),
    has_more: z.boolean(),
    next: z.string().openapi({ description: 'Send it as `after` to get the next page.' }),
  })
  .openapi('EventFeed');

/** The description of the stream beside the JSON response. */
export const streamContent = {
  'text/event-stream': {
    schema: z.string().openapi({
      description:
        'With `Accept: text/event-stream`. `id` is the cursor to resume from (Last-Event-ID), ' +
        '`event` the type, `data` the event. The stream begins with a bare `id`, and sends another ' +
        'with a comment every 15 s without events, so a client can resume before its first event. ' +
        'It ends after 15 minutes, on shutdown, or when the client is too slow.',
    }),
  },
} as const;
