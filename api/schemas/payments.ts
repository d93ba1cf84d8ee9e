/** Payments on the wire. */
import { z } from '@hono/zod-openapi';
import { caseSchema } from './cases.ts';

const minor = z.number().int();

export const paymentSchema = z
  .object({
    status: z.enum([
      'authorizing',
      'requires_action',
      'declined',
      'authorized',
      'captured',
      'partially_refunded',
      'voided',
      'refunded',
    ]),
    amount_minor: minor.openapi({
      description:
        "The card's part of the total, as it is authorized. 0: no payment provider is called.",
    }),
    captured_minor: minor.openapi({
      description:
        'Less than was authorized when not all of the order is sent: the rest is released.',
    }),
    refunded_minor: minor.openapi({ description: 'Refunded to the card.' }),
    credited_minor: minor.openapi({
      description: 'Refunded to store credit. Not what an order that ended unpaid gives back.',
    }),
    currency: z.string(),
    decline_code: z.string().nullable(),
    action_expires_at: z.iso.datetime().nullable().openapi({
      description:
        'Of the status `requires_action`: until when the shopper can confirm the payment. Else null.',
    }),
  })
  .openapi('Payment');

/** With what is read of it beside an order. */
export const paymentViewSchema = paymentSchema
  .extend({
    disputed_minor: minor.openapi({
      description: 'What banks have taken back in disputes that are open or lost.',
    }),
    cases: z.array(caseSchema).openapi({
      description: 'Disputes, fraud warnings and reviews. Empty for storefront keys.',
    }),
  })
  .openapi('PaymentView');

/** The answer while the shopper has to confirm the payment, such as with 3-D Secure. */
export const paymentActionSchema = z
  .object({
    object: z.literal('payment_action'),
    code: z.literal('payment_action_required'),
    order_id: z.string().openapi({ example: 'ord_01jqk4n7ejfqs9n7v5q8z3m6t2' }),
    client_secret: z.string().openapi({
      description:
        "For the provider's script in the shopper's browser, and for nobody else: never log or store it.",
    }),
    next_action: z.record(z.string(), z.unknown()).openapi({
      description: "What the shopper has to do, in the provider's own form.",
    }),
    expires_at: z.iso.datetime().openapi({
      description: 'Until then the units are held. Not confirmed by then, the order expires.',
    }),
    total_minor: minor,
    currency: z.string(),
  })
  .openapi('PaymentAction');
export type PaymentActionBody = z.output<typeof paymentActionSchema>;
