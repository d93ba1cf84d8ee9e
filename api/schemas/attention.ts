/** The failing steps of an order on the wire, for operators. */
import { z } from '@hono/zod-openapi';

const failedAttempts = {
  step: z.string().openapi({ example: 'capturePayment' }),
  attempts: z.number().int().openapi({
    description: 'Failed attempts since the last success, and since the last decision.',
  }),
  first_failed_at: z.iso.datetime(),
  last_failed_at: z.iso.datetime(),
  last_failure: z.string().openapi({
    example: 'capture: connection refused by the payment provider',
    description: 'The cause in words.',
  }),
};

/** A step that failed and is being retried. */
export const troubleSchema = z
  .object({
    ...failedAttempts,
    next_attempt_at: z.iso.datetime().openapi({
      description: 'In the past: overdue, because no worker runs or Temporal is away.',
    }),
  })
  .openapi('Trouble');

/** The steps that wait for an operator. */
export const attentionSchema = z
  .object({
    since: z.iso.datetime(),
    steps: z.array(
      z.object({
        ...failedAttempts,
        dead_letter_id: z.string().openapi({ description: 'Redrive this dead letter to decide.' }),
        decisions: z.array(
          z.object({ action: z.enum(['retry', 'skip', 'cancel']), effect: z.string() }),
        ),
      }),
    ),
  })
  .openapi('Attention');
