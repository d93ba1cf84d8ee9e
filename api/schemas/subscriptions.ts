/** Subscriptions on the wire. */
import { z } from '@hono/zod-openapi';
import { listOf } from './common.ts';

export const subscriptionSchema = z
  .object({
    object: z.literal('subscription'),
    name: z.string().openapi({ example: 'analytics' }),
    types: z.array(z.string()).openapi({ description: 'Empty: every type.' }),
    paused: z.boolean(),
    cursor: z.string(),
    behind: z.number().int().openapi({ description: 'Events not handed over yet, up to 10,000.' }),
    lag_seconds: z.number().openapi({ description: 'The age of the oldest of them.' }),
    updated_at: z.iso.datetime(),
  })
  .openapi('Subscription');
export type SubscriptionBody = z.output<typeof subscriptionSchema>;

export const subscriptionListSchema = listOf(subscriptionSchema);

export const subscriptionParam = z.object({
  name: z
    .string()
    .max(200)
    .openapi({ description: 'A slash in the name is written as %2F.', example: 'analytics' }),
});

export const rewindBody = z
  .strictObject({
    to: z.iso
      .datetime({ offset: true })
      .refine((time) => Date.parse(time) >= 0, 'There were no events before 1970')
      .openapi({ description: 'Everything from this time on is delivered again.' }),
  })
  .openapi('RewindSubscription');
