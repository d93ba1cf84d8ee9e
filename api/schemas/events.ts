/** The event feed on the wire: CloudEvents 1.0 in JSON. */
import { z } from '@hono/zod-openapi';
import { EVENT_TYPES } from '../../domain/order.ts';
import { limit } from './common.ts';

const MAX_FEED_LIMIT = 500;

const UUID = '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}';
/** The places of the log, and of one order's timeline, as in `after` and Last-Event-ID. */
const LOG_PLACE = `\\d{1,20}-\\d{1,19}|${UUID}`;
const TIMELINE_PLACE = `\\d{1,9}|${UUID}`;

const cursor = z.string().regex(new RegExp(`^(?:${LOG_PLACE})$`), 'Not a cursor or event id');
const sequence = z.string().regex(new RegExp(`^(?:${TIMELINE_PLACE})$`), 'Not a seq or event id');

export const feedHeaders = lastEventId(LOG_PLACE);
export const timelineHeaders = lastEventId(TIMELINE_PLACE);

/** Empty from a client that has received no event yet. */
function lastEventId(place: string) {
  return z.object({
    'last-event-id': z
      .string()
      .regex(new RegExp(`^(?:|${place})$`), 'Not the id of an event')
      .optional()
      .openapi({
        description:
          'For a stream: the id of the last received event. Takes precedence over `after`.',
      }),
  });
}

const TYPE = EVENT_TYPES.map((type) => type.replace('.', '\\.')).join('|');

export const feedQuery = z.object({
  after: cursor.optional().openapi({
    description:
      'A `cursor` or event id. Returns the events after it; with `order=newest_first` those before it.',
  }),
  order: z.enum(['oldest_first', 'newest_first']).default('oldest_first').openapi({
    description: 'A stream has new events only, oldest first.',
  }),
  types: z
    .string()
    .max(1_000)
    .transform((list) => list.split(',').map((type) => type.trim()))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .optional()
    .openapi({
      type: 'string',
      pattern: `^(?:${TYPE})(?:,(?:${TYPE}))*$`,
      description: 'Comma-separated types. Default: all types.',
      example: 'order.placed,order.shipped',
    }),
  limit: limit(MAX_FEED_LIMIT, 100),
});

export const timelineQuery = z.object({
  after: sequence.optional().openapi({
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
    has_more: z.boolean().openapi({
      description:
        'A page looks at 10,000 events. So with `types` it may be short, or empty, and more may follow.',
    }),
    next: z.string().openapi({ description: 'Send it as `after` to get the next page.' }),
  })
  .openapi('EventFeed');

/** The stream of a job beside the JSON response. */
export const progressContent = {
  'text/event-stream': {
    schema: z.string().openapi({
      description:
        'With `Accept: text/event-stream`. `event` is `progress`, `data` the job. A comment comes ' +
        'every 15 s without a change. It ends after 15 minutes, on shutdown, or when the client is ' +
        'too slow.',
    }),
  },
} as const;

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
