/** Invariants on the wire. */
import { z } from '@hono/zod-openapi';
import { listOf } from './common.ts';

/** Callers within this time share a result. */
const SHARED_SECONDS = 5;
const MAX_AGE_SECONDS = 86_400;

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

export const invariantQuery = z.object({
  max_age: z
    .string()
    .regex(/^\d{1,5}$/, `Whole seconds, from ${SHARED_SECONDS} to ${MAX_AGE_SECONDS}`)
    .transform(Number)
    .pipe(z.number().min(SHARED_SECONDS).max(MAX_AGE_SECONDS))
    .default(SHARED_SECONDS)
    .openapi({
      type: 'integer',
      minimum: SHARED_SECONDS,
      maximum: MAX_AGE_SECONDS,
      default: SHARED_SECONDS,
      description: 'The maximum age of an accepted result, in seconds.',
    }),
});
