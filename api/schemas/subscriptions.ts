/** Subscriptions on the wire. */
import { z } from '@hono/zod-openapi';
import { listOf, pageOf, time } from './common.ts';

export const subscriptionSchema = z
  .object({
    object: z.literal('subscription'),
    name: z.string().openapi({ example: 'analytics' }),
    types: z.array(z.string()).openapi({ description: 'Empty: all types.' }),
    paused: z.boolean(),
    cursor: z.string(),
    behind: z
      .number()
      .int()
      .openapi({ description: 'Undelivered events, of the next 10,000 in the log.' }),
    lag_seconds: z.number().openapi({ description: 'The age of the oldest undelivered event.' }),
    updated_at: z.iso.datetime(),
  })
  .openapi('Subscription');
export type SubscriptionBody = z.output<typeof subscriptionSchema>;

export const subscriptionListSchema = listOf(subscriptionSchema);

export const subscriptionListQuery = pageOf(z.string().regex(/^[\x21-\x7e]{1,200}$/));
export const subscriptionParam = z.object({
  name: z
    .string()
    .max(200)
    .openapi({ description: 'Encode a slash in the name as %2F.', example: 'analytics' }),
});

export const rewindBody = z
  .strictObject({
    to: time.openapi({ description: 'Events since this time are delivered again.' }),
  })
  .openapi('RewindSubscription', { example: { to: '2026-11-30T00:00:00Z' } });
