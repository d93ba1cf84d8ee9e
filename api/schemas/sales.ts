/** Sales figures on the wire. Hours and days are those of UTC, amounts in minor units. */
import { z } from '@hono/zod-openapi';
import { listOf, time } from './common.ts';

export const salesQuery = z.object({
  from: time.optional().openapi({
    description: 'Hours that begin at this time or later. Default: a day before `to`.',
  }),
  to: time.optional().openapi({
    description: 'Hours that begin before this time. Default: now.',
  }),
  per: z.enum(['hour', 'day']).default('hour'),
});

const count = z.number().int();

export const salesSchema = z
  .object({
    object: z.literal('sales'),
    starts_at: z.iso.datetime().openapi({ description: 'The beginning of the hour or day.' }),
    currency: z.string(),
    orders: count.openapi({ description: 'Orders that were placed.' }),
    declined: count,
    cancelled: count.openapi({ description: 'Orders that were cancelled, whenever placed.' }),
    shipped: count,
    revenue_minor: count.openapi({
      description: 'The total of the placed orders, from which nothing is subtracted later.',
    }),
    refunded_minor: count.openapi({ description: 'What was returned, on request or by a cancel.' }),
  })
  .openapi('Sales');
export type SalesBody = z.output<typeof salesSchema>;

export const salesListSchema = listOf(salesSchema).extend({
  counted_until: z.iso.datetime().nullable().openapi({
    description: 'Everything that happened before is counted. Null: nothing was counted yet.',
  }),
});
