/** Bulk work on the wire. */
import { z } from '@hono/zod-openapi';
import { ORDER_STATUSES } from '../../domain/order.ts';
import { sku, text, time } from './common.ts';
import { fingerprint, SOURCES } from './dead-letters.ts';

/** A cancel waits for its workflow: more at once would only queue in Temporal. */
const MAX_RATE_PER_SECOND = 50;

const common = {
  dry_run: z.boolean().default(false).openapi({
    description: 'True: nothing is done. The response says how many items match.',
  }),
  rate_per_second: z.number().int().min(1).max(MAX_RATE_PER_SECOND).default(10).openapi({
    description: 'The maximum number of items per second.',
  }),
  note: text(500).openapi({ description: 'Why, for operators. The reason of each refund.' }),
};

const orderFilter = z
  .strictObject({
    status: z.array(z.enum(ORDER_STATUSES)).min(1).max(ORDER_STATUSES.length),
    created_after: time.optional(),
    created_before: time.optional(),
    sku: sku.optional().openapi({ description: 'Only orders with this product.' }),
  })
  .openapi('BulkOrderFilter');

const deadLetterFilter = z
  .strictObject({ fingerprint: fingerprint.optional(), source: z.enum(SOURCES).optional() })
  .refine((filter) => Object.keys(filter).length > 0, 'Name a fingerprint or a source')
  .openapi('BulkDeadLetterFilter', { minProperties: 1 });

export const bulkBody = z
  .discriminatedUnion('action', [
    z.strictObject({ action: z.enum(['cancel', 'refund']), filter: orderFilter, ...common }),
    z.strictObject({ action: z.literal('redrive'), filter: deadLetterFilter, ...common }),
  ])
  .openapi('RequestBulk', {
    example: {
      action: 'refund',
      filter: { status: ['shipped', 'delivered'], sku: 'mug-white' },
      dry_run: true,
      rate_per_second: 10,
      note: 'the glaze of this batch was not food-safe',
    },
  });
export type BulkBody = z.output<typeof bulkBody>;

export const bulkPreviewSchema = z
  .object({
    object: z.literal('bulk_preview'),
    action: z.enum(['cancel', 'refund', 'redrive']),
    matching: z.number().int(),
    amounts: z
      .array(z.object({ currency: z.string(), amount_minor: z.number().int() }))
      .openapi({ description: 'What would be cancelled, or refunded, per currency.' }),
    samples: z.array(z.string()).openapi({ description: 'The ids of the first ten items.' }),
  })
  .openapi('BulkPreview');
