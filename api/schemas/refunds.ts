/** Refunds on the wire, for operators. */
import { z } from '@hono/zod-openapi';
import { REFUND_TARGETS } from '../../domain/refund.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import { listOf, pageOfIds, sku, text } from './common.ts';
import { MAX_LINES, MAX_QUANTITY } from './orders.ts';
import { refundEntrySchema } from './refund-entry.ts';

export const refundOrderBody = z
  .strictObject({
    amount_minor: z
      .number()
      .int()
      .min(1)
      .max(MAX_INTEGER)
      .optional()
      .openapi({ description: 'Instead of `lines`. Without both: everything that is left.' }),
    lines: z
      .array(
        z.strictObject({
          sku,
          quantity: z.number().int().min(1).max(MAX_QUANTITY),
          restock: z
            .boolean()
            .default(false)
            .openapi({
              description:
                'The units have come back and are on hand again at once, whatever becomes of the money. ' +
                'At most what was shipped of the line and has not come back.',
            }),
        }),
      )
      .min(1)
      .max(MAX_LINES)
      .refine(
        (lines) => new Set(lines.map((line) => line.sku)).size === lines.length,
        'Each SKU once',
      )
      .optional()
      .openapi({
        description:
          'Units to refund, at their price with its proportional part of the adjustments.',
      }),
    to: z
      .enum(REFUND_TARGETS)
      .default('original')
      .openapi({
        description:
          '`original`: the card first, as far as it paid, then store credit. `credit`: all of it becomes ' +
          'store credit of the customer.',
      }),
    reason: text(500).openapi({ description: 'For operators. Not shown to the customer.' }),
  })
  .refine(({ amount_minor: amount, lines }) => amount === undefined || lines === undefined, {
    path: ['lines'],
    message: 'Send amount_minor or lines, not both',
  })
  .openapi('RefundOrder', {
    example: { amount_minor: 500, reason: 'one mug arrived broken' },
  });

export const refundSchema = refundEntrySchema
  .extend({
    object: z.literal('refund'),
    order_id: z.string(),
    reason: z.string().nullable(),
    failure_code: z
      .string()
      .nullable()
      .openapi({ description: 'Why the payment provider refused, or could not return the money.' }),
    provider_reference: z.string().nullable().openapi({
      description:
        "The payment provider's id of the refund. Null before it has accepted the refund.",
    }),
  })
  .openapi('Refund');
export type RefundBody = z.output<typeof refundSchema>;

export const refundListQuery = pageOfIds('refund');
export const refundListSchema = listOf(refundSchema);
export const refundParam = z.object({
  id: z.string().max(100).openapi({ example: 'rfd_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
});
