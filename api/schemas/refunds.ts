/** Refunds on the wire, as operators ask for them and see them. */
import { z } from '@hono/zod-openapi';
import { listOf, text } from './common.ts';
import { MAX_TOTAL_MINOR, refundEntrySchema } from './orders.ts';

export const refundOrderBody = z
  .strictObject({
    amount_minor: z
      .number()
      .int()
      .min(1)
      .max(MAX_TOTAL_MINOR)
      .optional()
      .openapi({ description: 'All that is left when it is left out.' }),
    reason: text(500).openapi({ description: 'For operators. The customer does not see it.' }),
  })
  .openapi('RefundOrder');

export const refundSchema = refundEntrySchema
  .extend({
    object: z.literal('refund'),
    order_id: z.string(),
    reason: z.string().nullable(),
    failure_code: z
      .string()
      .nullable()
      .openapi({ description: 'Why the payment provider refused.' }),
  })
  .openapi('Refund');
export type RefundBody = z.output<typeof refundSchema>;

export const refundListSchema = listOf(refundSchema);
export const refundParam = z.object({ id: z.string().max(100) });
