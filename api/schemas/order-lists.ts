/** What a list of orders is asked for, and counts of orders, on the wire. */
import { z } from '@hono/zod-openapi';
import { ORDER_STATUSES } from '../../domain/order.ts';
import { pageOfIds, text, time } from './common.ts';
import { email } from './customers.ts';

const STATUS = ORDER_STATUSES.join('|');
const statuses = z
  .string()
  .max(200)
  .transform((list, context) => {
    const parsed = z.array(z.enum(ORDER_STATUSES)).safeParse(list.split(','));
    if (parsed.success) return [...new Set(parsed.data)];
    context.addIssue(`Not one or several of these, with commas in between: ${STATUS}`);
    return z.NEVER;
  })
  .openapi({
    type: 'string',
    pattern: `^(?:${STATUS})(?:,(?:${STATUS}))*$`,
    description: 'Comma-separated statuses, such as `placed,reserved,paid`. Default: all.',
  });

export const orderListQuery = pageOfIds('order').extend({
  q: text(100)
    .optional()
    .openapi({
      description:
        'What a person has of the order: its number, the beginning of its id, of its e-mail, of the ' +
        'name or its later words, of the tracking number, or the last four or more digits of the ' +
        'telephone number. Case and accents do not matter. More than 1,000 matches are 422.',
    }),
  status: statuses.optional(),
  email: email.optional(),
  created_after: time.optional(),
  updated_before: time.optional(),
  retrying: z.literal('true').optional().openapi({
    description: '`true`: only orders with a step that failed and is being retried now.',
  }),
  payment_case: z.literal('open').optional().openapi({
    description: '`open`: only orders with an open dispute, fraud warning or review.',
  }),
});

export const orderCountsSchema = z
  .object({
    object: z.literal('order_counts'),
    by_status: z.record(z.string(), z.number().int()).openapi({
      description:
        'Every status with its number of orders: all of those that still move or need attention; of ' +
        'shipped, delivered, cancelled, declined and expired ones those created since `settled_since`.',
      example: { placed: 3, needs_attention: 1, shipped: 120 },
    }),
    settled_since: z.iso.datetime().openapi({ description: 'A day ago.' }),
    retrying: z.number().int().openapi({
      description: 'The number of orders with a step that is being retried.',
    }),
    oldest_retry_at: z.iso.datetime().nullable().openapi({
      description: 'Since when the longest failing one of those steps fails.',
    }),
  })
  .openapi('OrderCounts');
export type OrderCountsBody = z.output<typeof orderCountsSchema>;
