/** Invariants on the wire. */
import { z } from '@hono/zod-openapi';
import { listOf } from './common.ts';

export const invariantSchema = z
  .object({
    object: z.literal('invariant'),
    name: z.string().openapi({ example: 'stock_bounds' }),
    title: z.string().openapi({ description: 'What holds when there are no violations.' }),
    holds: z.enum(['always', 'settled']).openapi({
      description: '`settled`: holds after a minute without faults.',
    }),
    status: z.enum(['holds', 'violated', 'unchecked']),
    violations: z.number().int(),
    examples: z
      .array(z.object({ subject: z.string(), detail: z.string() }))
      .openapi({ description: 'The first 20.' }),
    unchecked_because: z.string().nullable(),
    took_ms: z.number().int(),
  })
  .openapi('Invariant');
export type InvariantBody = z.output<typeof invariantSchema>;

export const invariantListSchema = listOf(invariantSchema).extend({
  checked_at: z.iso.datetime(),
  violated: z.number().int().openapi({ description: 'The number of violated invariants.' }),
  unchecked: z.number().int().openapi({ description: 'The number of unchecked invariants.' }),
});
