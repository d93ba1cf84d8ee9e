/** The event feed on the wire: CloudEvents 1.0 in JSON. */
import { z } from '@hono/zod-openapi';
import { EVENT_TYPES } from '../../domain/order.ts';

const MAX_FEED_LIMIT = 500;

const place = z.string().regex(/^[\x21-\x7e]{1,100}$/);

export const feedQuery = z.object({
  after: place.optional().openapi({
    description: 'A `cursor` or the id of an event; what follows it is answered.',
  }),
  types: z
    .string()
    .max(1_000)
    .transform((list) => list.split(',').map((type) => type.trim()))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .optional()
    .openapi({
      type: 'string',
      description: 'Types separated by commas; every type when left out.',
      example: 'order.placed,order.shipped',
    }),
  limit: z.coerce.number().int().min(1).max(MAX_FEED_LIMIT).default(100),
});

export const timelineQuery = z.object({
  after: place.optional().openapi({
    description: 'A `seq` or the id of an event of the order; what follows it is answered.',
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
    sequence: z.string().openapi({ description: 'Per order, gap-free, padded with zeros.' }),
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
    next: z.string().openapi({ description: 'Ask for what follows with this as `after`.' }),
  })
  .openapi('EventFeed');

/** How a stream is described beside its JSON form. */
export const streamContent = {
  'text/event-stream': {
    schema: z.string().openapi({
      description:
        'With Accept: text/event-stream. `id` is where to resume (Last-Event-ID), `event` the ' +
        'type, `data` the event. A stream begins with an `id` alone, and while nothing happens ' +
        'another comes every 15 s with a comment, so that nothing is lost before the first event ' +
        'either. The stream ends after 15 minutes, when the service stops, or when the client ' +
        'does not keep up.',
    }),
  },
} as const;
