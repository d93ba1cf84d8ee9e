/** Store credit on the wire. */
import { z } from '@hono/zod-openapi';
import { CREDIT_ENTRY_KINDS } from '../../domain/credit.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import { currency, listOf, pageOfIds, text, time } from './common.ts';

export const moneySchema = z
  .object({ amount_minor: z.number().int(), currency: z.string() })
  .openapi('Money');

export const balanceSchema = z
  .object({
    object: z.literal('balance'),
    customer_id: z.string(),
    balances: z.array(moneySchema).openapi({
      description: 'What can be spent, by currency. Empty for a customer who never had credit.',
    }),
  })
  .openapi('Balance');

export const grantCreditBody = z
  .strictObject({
    amount_minor: z.number().int().min(1).max(MAX_INTEGER).openapi({ example: 1_000 }),
    currency,
    reason: text(500).openapi({ description: 'For operators. Erased with the customer.' }),
    expires_at: time.optional().openapi({
      description: 'What is not spent by then expires within a minute. Left out: it never expires.',
      example: '2027-12-31T23:00:00Z',
    }),
  })
  .openapi('GrantCredit', {
    example: { amount_minor: 1_000, currency: 'EUR', reason: 'sorry for the delay' },
  });

export const creditEntrySchema = z
  .object({
    object: z.literal('credit_entry'),
    id: z.string().openapi({ example: 'cre_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
    customer_id: z.string(),
    kind: z.enum(CREDIT_ENTRY_KINDS),
    amount_minor: z.number().int().openapi({ description: 'Negative: the balance falls.' }),
    currency: z.string(),
    order_id: z.string().nullable(),
    refund_id: z.string().nullable(),
    expires_at: z.iso.datetime().nullable(),
    reason: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi('CreditEntry');
export type CreditEntryBody = z.output<typeof creditEntrySchema>;

export const creditListQuery = pageOfIds('creditEntry');
export const creditListSchema = listOf(creditEntrySchema);
