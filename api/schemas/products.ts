/** Products and stock on the wire. */
import { z } from '@hono/zod-openapi';
import { CURRENCIES } from '../../domain/iso-4217.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import { ARCHIVED } from '../../prisma/catalog/products.ts';
import { currency, listOf, pageOf, paragraphs, sku, text } from './common.ts';

const priceSchema = z
  .object({ currency: z.string(), price_minor: z.number().int() })
  .openapi('Price');

export const productSchema = z
  .object({
    object: z.literal('product'),
    sku: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    price_minor: z.number().int(),
    currency: z.string(),
    prices: z.array(priceSchema).openapi({
      description: 'In other currencies, by their codes. Orders and quotes may be in any of them.',
    }),
    archived: z.boolean().openapi({
      description: 'Not sold any more: not listed unless asked for, and no order takes it.',
    }),
    version: z.number().int(),
    updated_at: z.iso.datetime(),
  })
  .openapi('Product');
export type ProductBody = z.output<typeof productSchema>;

export const stockSchema = z
  .object({
    object: z.literal('stock'),
    sku: z.string(),
    on_hand: z.number().int(),
    held: z.number().int(),
    available: z.number().int(),
  })
  .openapi('Stock');
export type StockBody = z.output<typeof stockSchema>;

export const stockItemSchema = stockSchema
  .extend({
    name: z.string(),
    price_minor: z.number().int(),
    currency: z.string(),
    sold_today: z.number().int().openapi({
      description: 'Units of the orders placed since midnight in the shop. Counted within seconds.',
    }),
  })
  .openapi('StockItem');
export type StockItemBody = z.output<typeof stockItemSchema>;
export const stockListSchema = listOf(stockItemSchema);
export const stockListQuery = pageOf(sku).extend({
  available_below: z
    .string()
    .regex(/^\d{1,9}$/, 'A number of units')
    .transform(Number)
    .optional()
    .openapi({
      type: 'integer',
      minimum: 0,
      maximum: 999_999_999,
      description: 'Only products with fewer units available.',
    }),
});

/** A malformed SKU becomes the empty one, which no product has, so it gets the same 404. */
export const productParam = z.object({
  sku: sku.catch('').openapi({ type: 'string', example: 'mug-white' }),
});
export const newProductParam = z.object({ sku: sku.openapi({ example: 'mug-blue' }) });
export const productListQuery = pageOf(sku).extend({
  q: text(100).optional().openapi({
    description:
      'Only products with each of these words in their name or SKU. Case and accents do not matter.',
    example: 'mug',
  }),
  archived: z.enum(ARCHIVED).default('false').openapi({
    description: 'Only archived products, or any; without it only those that are sold.',
  }),
});
export const productListSchema = listOf(productSchema);

const priceMinor = z.number().int().min(1).max(MAX_INTEGER).openapi({
  description: 'In minor units of the currency (ISO 4217).',
});

export const putProductBody = z
  .strictObject({
    name: text(200),
    description: paragraphs(2_000).nullable().optional(),
    price_minor: priceMinor,
    currency,
    prices: z
      .array(z.strictObject({ currency, price_minor: priceMinor }))
      .max(CURRENCIES.length)
      .default([])
      .openapi({
        description: 'In other currencies, each once. Replaces those of before; left out: none.',
      }),
  })
  .openapi('PutProduct', {
    example: {
      name: 'Blue mug',
      price_minor: 1_300,
      currency: 'EUR',
      prices: [{ currency: 'USD', price_minor: 1_450 }],
    },
  });

export type PutProductBody = z.output<typeof putProductBody>;

export const changeProductBody = z
  .strictObject({ archived: z.boolean() })
  .openapi('ChangeProduct', { example: { archived: true } });

/** Above any real stock, below the 32-bit limit. */
const MAX_DELTA = 1_000_000_000;
export const adjustStockBody = z
  .strictObject({
    delta: z
      .number()
      .int()
      .min(-MAX_DELTA)
      .max(MAX_DELTA)
      .refine((delta) => delta !== 0, 'The delta must not be 0')
      .openapi({ not: { const: 0 } }),
    reason: text(200),
  })
  .openapi('AdjustStock', { example: { delta: 20, reason: 'delivery of the supplier' } });
