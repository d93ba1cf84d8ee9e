/** Quotes on the wire: what an order has, as far as it is known, and everything that is wrong with it. */
import { z } from '@hono/zod-openapi';
import { adjustments, adjustmentSchema } from './adjustments.ts';
import { currency } from './common.ts';
import { email } from './customers.ts';
import { MAX_LINES, orderLine, placeOrderBody } from './orders.ts';

export const quoteBody = placeOrderBody
  .omit({ quote: true })
  .partial({ customer: true, shipping_address: true, payment_method: true })
  .openapi('QuoteRequest', {
    description: 'What an order has. What is left out is not checked.',
    example: { lines: [{ sku: 'mug-white', quantity: 2 }], currency: 'EUR' },
  });

/** What can be checked of a body that is not valid: lines in a currency, as far as each can be read. */
export const readableCart = z.object({
  currency,
  lines: z.array(orderLine.nullable().catch(null)).min(1).max(MAX_LINES),
  adjustments: adjustments.nullable().catch(null),
  customer: z.object({ email }).optional().catch(undefined),
  credit_minor: placeOrderBody.shape.credit_minor.catch(0),
  expected_total_minor: placeOrderBody.shape.expected_total_minor.catch(undefined),
});

const minor = z.number().int();

export const quoteSchema = z
  .object({
    object: z.literal('quote'),
    id: z.string().nullable().openapi({
      example: 'quo_01k9zq3v5nfa3s4w1m6t2y8h7c',
      description: 'For the order. Null: something is wrong with the cart.',
    }),
    expires_at: z.iso.datetime().nullable().openapi({
      description: 'Until then an order with this quote has these prices.',
    }),
    currency: z.string(),
    lines: z.array(
      z.object({
        sku: z.string(),
        name: z.string(),
        quantity: minor,
        unit_price_minor: minor,
        available: minor.openapi({
          description: 'Units that no order holds. None is held by this.',
        }),
      }),
    ),
    adjustments: z.array(adjustmentSchema),
    total_minor: minor.nullable().openapi({
      description: 'Null: a part of the cart has no price.',
    }),
    problems: z
      .array(
        z.object({
          code: z.enum(['invalid_request', 'price_changed', 'out_of_stock', 'credit_insufficient']),
          detail: z.string(),
          pointer: z.string().openapi({
            description: 'The place in the body: a JSON pointer (RFC 6901) as a URI fragment.',
            example: '#/lines/0/quantity',
          }),
        }),
      )
      .openapi({ description: 'All that an order of the cart would be refused for.' }),
  })
  .openapi('Quote');
export type QuoteBody = z.output<typeof quoteSchema>;
