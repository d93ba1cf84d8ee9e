/** The figures of analytics on the wire. Hours and days are the shop's, amounts in minor units. */
import { z } from '@hono/zod-openapi';
import { toInstant } from '../../domain/text.ts';
import { listOf } from './common.ts';

/** An instant in UTC, or a date: the beginning of that day in the shop's time zone. */
const instantOrDate = z
  .string()
  .transform((value, context) => {
    const instant = toInstant(value);
    if (instant !== null) return instant;
    if (DATE.test(value) && toInstant(`${value}T00:00:00Z`) !== null) return value;
    context.addIssue('Not a date such as 2026-01-31, nor a time with an offset (RFC 3339)');
    return z.NEVER;
  })
  .openapi({ type: 'string', anyOf: [{ format: 'date' }, { format: 'date-time' }] });

const DATE = /^\d{4}-\d\d-\d\d$/;

export const analyticsQuery = z.object({
  from: instantOrDate.optional().openapi({
    description:
      'Hours or days that begin then or later; a date begins in the time zone of the shop. ' +
      'Default: by hour a day before `to`, by day 30 days.',
  }),
  to: instantOrDate.optional().openapi({
    description: 'Hours or days that begin before. Default: now.',
  }),
  by: z.enum(['hour', 'day']).default('hour'),
});

const count = z.number().int();

export const analyticsSchema = z
  .object({
    object: z.literal('analytics'),
    starts_at: z.iso.datetime().openapi({ description: 'The beginning of the hour or day.' }),
    ends_at: z.iso.datetime().openapi({ description: 'A day has 23 to 25 hours.' }),
    currency: z.string(),
    orders: count.openapi({ description: 'Orders that were placed.' }),
    declined: count,
    cancelled: count.openapi({ description: 'Orders that were cancelled, whenever placed.' }),
    shipped: count,
    revenue_minor: count.openapi({
      description: 'The total of the placed orders, from which nothing is subtracted later.',
    }),
    refunded_minor: z
      .number()
      .int()
      .openapi({
        description:
          'What was returned, on request or by a cancel, less what came back to the shop because a refund ' +
          'failed after it had succeeded. So it can be negative.',
      }),
  })
  .openapi('Analytics');
export type AnalyticsBody = z.output<typeof analyticsSchema>;

export const analyticsListSchema = listOf(analyticsSchema).extend({
  time_zone: z.string().openapi({ description: 'Of the shop, IANA.', example: 'Europe/Berlin' }),
  as_of: z.iso.datetime().nullable().openapi({
    description: 'Everything that happened before is counted. Null: nothing was counted yet.',
  }),
});
