/** Disputes, early fraud warnings and reviews of a payment on the wire. */
import { z } from '@hono/zod-openapi';
import { CASE_KINDS } from '../../domain/payment-case.ts';

export const caseSchema = z
  .object({
    id: z.string().openapi({ example: 'dp_1Nv0FGQ9RKHgCVdK', description: "The provider's." }),
    kind: z.enum(CASE_KINDS).openapi({
      description:
        '`dispute`: the card’s bank takes the money back, or asks first (`warning_...`). ' +
        '`fraud_warning`: it reports fraud. `review`: the provider wants a person to look.',
    }),
    status: z.string().openapi({ example: 'needs_response', description: "The provider's." }),
    is_open: z.boolean(),
    amount_minor: z.number().int().nullable().openapi({ description: 'Of a dispute.' }),
    currency: z.string().nullable(),
    reason: z.string().openapi({ example: 'fraudulent' }),
    respond_by: z.iso.datetime().nullable().openapi({
      description: 'Until when the shop can respond to a dispute; without a response it is lost.',
    }),
    opened_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
    actions: z
      .array(
        z.object({
          action: z.enum(['respond', 'refund', 'review', 'cancel', 'wait']),
          effect: z.string(),
        }),
      )
      .openapi({ description: 'What a person can do about it now. Empty once it is closed.' }),
  })
  .openapi('PaymentCase');
export type CaseBody = z.output<typeof caseSchema>;
