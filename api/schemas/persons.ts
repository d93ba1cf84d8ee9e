/** Erasure and export of a person on the wire. */
import { z } from '@hono/zod-openapi';
import { moneySchema } from './credit.ts';
import { email } from './customers.ts';

export const personBody = z
  .strictObject({ email })
  .openapi('PersonRequest', { example: { email: 'grace@example.com' } });

export const erasureSchema = z
  .object({
    object: z.literal('erasure'),
    customer_id: z.string().nullable().openapi({
      description:
        'The subject of the entry in the audit log. Null when no customer was erased now.',
      example: 'cus_01k9zq3v5nfa3s4w1m6t2y8h7c',
    }),
    orders: z.number().int().openapi({ description: 'How many orders this call erased.' }),
    credit_left: z.array(moneySchema).openapi({
      description:
        'Store credit that the customer had, by currency. The erasure is complete all the same, and ' +
        'the credit can no longer be spent.',
    }),
    complete: z
      .boolean()
      .openapi({ description: 'False: there are more. Send the same request again.' }),
  })
  .openapi('Erasure');

const row = z.record(z.string(), z.unknown());
export const personSchema = z
  .object({
    object: z.literal('person'),
    email: z.string(),
    exported_at: z.iso.datetime(),
    customer: row.nullable(),
    orders: z.array(row).openapi({
      description: 'Each order with its lines, payment, shipment, events and everything else kept.',
    }),
    messages: z.array(row).openapi({
      description: 'Messages of providers that name the e-mail, but no order.',
    }),
    jobs: z.array(row).openapi({ description: 'Jobs whose end is mailed to the address.' }),
  })
  .openapi('Person');
