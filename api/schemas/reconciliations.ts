/** Reconciliations on the wire. */
import { z } from '@hono/zod-openapi';
import { DISCREPANCY_KINDS } from '../../domain/reconciliation.ts';
import { listOf, pageOfIds } from './common.ts';

const scope = z.enum(['recent', 'full']).openapi({
  description: '`recent`: orders of the last two hours. `full`: orders of the last 30 days.',
});

export const reconcileBody = z
  .strictObject({ scope: scope.optional() })
  .openapi('StartReconciliation', { example: { scope: 'recent' } });

export const reconciliationListQuery = pageOfIds('reconciliation');
export const reconciliationParam = z.object({
  id: z.string().openapi({ example: 'rec_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
});

export const reconciliationSchema = z
  .object({
    id: z.string().openapi({ example: 'rec_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
    object: z.literal('reconciliation'),
    scope,
    status: z.enum(['running', 'completed', 'failed']),
    actor: z.string().openapi({ description: '`schedule`, or `operator/<API key>`.' }),
    window_from: z.iso.datetime(),
    window_to: z.iso.datetime(),
    checked: z
      .record(z.string(), z.number())
      .openapi({ example: { payments: 120, refunds: 3, orders: 118, rechecked: 1 } }),
    found: z.number().int().openapi({ description: 'The number of new discrepancies.' }),
    resolved: z
      .number()
      .int()
      .openapi({ description: 'The number of discrepancies that no longer exist.' }),
    started_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .openapi('Reconciliation');
export type ReconciliationBody = z.output<typeof reconciliationSchema>;

const state = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
const discrepancySchema = z
  .object({
    id: z.string(),
    kind: z.enum(DISCREPANCY_KINDS),
    subject: z.string().openapi({ description: "The provider's payment id, or the order id." }),
    order_id: z.string().nullable(),
    ours: state,
    theirs: state,
    first_seen_at: z.iso.datetime(),
    last_seen_at: z.iso.datetime(),
    resolved_at: z.iso.datetime().nullable(),
  })
  .openapi('Discrepancy');
export type DiscrepancyBody = z.output<typeof discrepancySchema>;

export const reconciliationViewSchema = reconciliationSchema
  .extend({ discrepancies: z.array(discrepancySchema) })
  .openapi('ReconciliationReport');

export const reconciliationListSchema = listOf(reconciliationSchema);
