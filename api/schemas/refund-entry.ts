/** A refund within its order. */
import { z } from '@hono/zod-openapi';
import { REFUND_CAUSES, REFUND_STATUSES } from '../../domain/refund.ts';

const minor = z.number().int();

/** A refund without the operator's reason, for everyone who may read the order. */
export const refundEntrySchema = z
  .object({
    id: z.string().openapi({ example: 'rfd_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
    status: z.enum(REFUND_STATUSES).openapi({
      description:
        '`pending` and `requires_action`: accepted by the payment provider, which is not sure yet; that ' +
        'can take 30 days. `failed` and `canceled`: nothing was returned, also when it had succeeded before.',
    }),
    cause: z.enum(REFUND_CAUSES).openapi({
      description: '`provider`: made at the payment provider, such as in its dashboard.',
    }),
    amount_minor: minor,
    credit_minor: minor.openapi({
      description: 'The part of the amount that becomes store credit; the rest goes to the card.',
    }),
    currency: z.string(),
    lines: z
      .array(
        z.object({
          sku: z.string(),
          quantity: z.number().int(),
          amount_minor: minor,
          restock: z.boolean(),
        }),
      )
      .openapi({ description: 'Of a refund by lines; empty when it is of an amount.' }),
    requested_at: z.iso.datetime(),
    settled_at: z.iso.datetime().nullable(),
  })
  .openapi('RefundEntry');
export type RefundEntryBody = z.output<typeof refundEntrySchema>;
