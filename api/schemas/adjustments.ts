/** Adjustments of an order on the wire: what the shop adds to the lines or takes off. */
import { z } from '@hono/zod-openapi';
import { ADJUSTMENT_KINDS } from '../../domain/order.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import { text } from './common.ts';

const MAX_ADJUSTMENTS = 20;

const adjustment = z
  .strictObject({
    kind: z.enum(ADJUSTMENT_KINDS),
    label: text(100).openapi({
      example: 'Standard shipping',
      description: "The shop's text for the customer. Erased with the order's person.",
    }),
    amount_minor: z.number().int().min(-MAX_INTEGER).max(MAX_INTEGER).openapi({
      example: 490,
      description: 'Added to the total. Negative: a reduction.',
    }),
  })
  .openapi('Adjustment');

export const adjustments = z.array(adjustment).max(MAX_ADJUSTMENTS).default([]).openapi({
  description: 'What the shop adds to the lines or takes off, by its own rules.',
});

/** In responses. */
export const adjustmentSchema = z
  .object({ kind: z.enum(ADJUSTMENT_KINDS), label: z.string(), amount_minor: z.number().int() })
  .openapi('OrderAdjustment');
