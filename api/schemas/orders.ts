/** Orders on the wire. snake_case, amounts in minor units. */
import { z } from '@hono/zod-openapi';
import { idForm } from '../../domain/ids.ts';
import { FULFILLMENTS, ORDER_STATUSES } from '../../domain/order.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import { adjustments, adjustmentSchema } from './adjustments.ts';
import { attentionSchema, troubleSchema } from './attention.ts';
import { currency, listOf, sku, text } from './common.ts';
import { refundEntrySchema } from './refund-entry.ts';
import { paymentSchema, paymentViewSchema } from './payments.ts';
import { customer, language, shippingAddress, shippingAddressSchema } from './customers.ts';

export const MAX_LINES = 50;
export const MAX_QUANTITY = 1_000;
const ORDER_ID = 'ord_01k9zq3v5nfa3s4w1m6t2y8h7c';

const expectedMinor = z.number().int().min(0).max(MAX_INTEGER).optional();

export const orderLine = z.strictObject({
  sku: sku.openapi({ example: 'mug-white' }),
  quantity: z.number().int().min(1).max(MAX_QUANTITY),
  expected_unit_price_minor: expectedMinor.openapi({
    description: 'Another price is refused as `price_changed`.',
  }),
});

export const placeOrderBody = z
  .strictObject({
    customer,
    shipping_address: shippingAddress,
    lines: z.array(orderLine).min(1).max(MAX_LINES),
    adjustments,
    currency,
    payment_method: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,100}$/)
      .optional()
      .openapi({
        example: 'pm_card_visa',
        description:
          "The payment provider's token, created in the shopper's browser. Required, unless store " +
          'credit pays the whole total.',
      }),
    credit_minor: z
      .number()
      .int()
      .min(0)
      .max(MAX_INTEGER)
      .default(0)
      .openapi({
        example: 500,
        description:
          "The part of the total that the customer's store credit pays; the card pays the rest. The " +
          "caller vouches that the shopper is the e-mail's owner.",
      }),
    fulfillment: z
      .enum(FULFILLMENTS)
      .default('all_or_nothing')
      .openapi({
        description:
          'What becomes of the order when the warehouse has only a part of it. `ship_available`: that part ' +
          'is sent and paid, and the customer is notified; `all_or_nothing`: the order is cancelled.',
      }),
    expected_total_minor: expectedMinor.openapi({
      description: 'Another total is refused as `price_changed`.',
    }),
    quote: z
      .string()
      .regex(idForm('quote'), 'Not the id of a quote')
      .optional()
      .openapi({
        example: 'quo_01k9zq3v5nfa3s4w1m6t2y8h7c',
        description:
          'A quote of this cart: while it is valid, its prices are the prices of the order. When it has ' +
          'expired, another total than the quoted one is refused as `price_changed`.',
      }),
  })
  .openapi('PlaceOrder', {
    example: {
      customer: { email: 'ada@example.com', name: 'Ada Lovelace' },
      shipping_address: {
        line1: 'Invalidenstr. 117',
        city: 'Berlin',
        postal_code: '10115',
        country: 'DE',
      },
      lines: [{ sku: 'mug-white', quantity: 2 }],
      currency: 'EUR',
      payment_method: 'pm_card_visa',
    },
  });
export type PlaceOrderBody = z.output<typeof placeOrderBody>;

const minor = z.number().int();

export const orderSchema = z
  .object({
    id: z.string().openapi({ example: ORDER_ID }),
    object: z.literal('order'),
    order_number: z.string().openapi({
      example: 'M6T-2Y8-H7C',
      description: 'For people: unique, and easy to say. The end of the id.',
    }),
    status: z.enum(ORDER_STATUSES),
    version: z.number().int(),
    currency: z.string(),
    total_minor: minor,
    credit_minor: minor.openapi({ description: 'The part of the total that store credit pays.' }),
    fulfillment: z.enum(FULFILLMENTS),
    due_minor: minor.openapi({
      description:
        'What is paid: the total, or, when the warehouse has only a part of the order, what that part costs ' +
        'with its share of the adjustments. Store credit is given back first, then less is captured.',
    }),
    lines: z.array(
      z.object({
        sku: z.string(),
        name: z.string(),
        quantity: z.number().int(),
        unit_price_minor: minor,
        reserved_quantity: z.number().int().nullable().openapi({
          description:
            'How many of them are sent, when the warehouse has only a part of the order. Null: all.',
        }),
      }),
    ),
    adjustments: z.array(adjustmentSchema),
    customer: z.object({
      email: z.string(),
      name: z.string(),
      phone: z.string().nullable(),
      language,
      sms_consent: z.boolean(),
    }),
    shipping_address: shippingAddressSchema,
    cancel_reason: z.string().nullable(),
    attention_step: z.string().nullable().openapi({
      description: 'The steps that wait for an operator. Null for storefront keys.',
    }),
    erased_at: z.iso
      .datetime()
      .nullable()
      .openapi({
        description:
          'When the person was erased on request or after the retention period: e-mail, name, line1 and ' +
          'city are then the word `erased`, and only the country is left of the rest.',
      }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('OrderSummary');
export type OrderBody = z.output<typeof orderSchema>;

export const placedOrderSchema = orderSchema
  .extend({ payment: paymentSchema })
  .openapi('PlacedOrder');
export type PlacedOrderBody = z.output<typeof placedOrderSchema>;

export const timelineEntrySchema = z
  .object({
    id: z.string(),
    type: z.string().openapi({ example: 'order.placed' }),
    seq: z
      .number()
      .int()
      .openapi({
        description:
          'Each event of the order has the next number. Storefront keys get no events about cases, held ' +
          'shipments and discrepancies, so their numbers have gaps.',
      }),
    time: z.iso.datetime(),
    data: z.record(z.string(), z.unknown()).openapi({
      description: 'For storefront keys without what is for operators, such as who decided what.',
    }),
    correlation_id: z.string(),
  })
  .openapi('TimelineEntry');
export type TimelineEntryBody = z.output<typeof timelineEntrySchema>;

const shipmentSchema = z
  .object({
    status: z.enum(['requested', 'shipped', 'refused', 'cancelled']),
    carrier: z.string().nullable(),
    tracking_number: z.string().nullable(),
    requested_at: z.iso.datetime(),
    answered_at: z.iso.datetime().nullable(),
    tracking: z
      .object({
        state: z.enum(['pending', 'shipped', 'refused', 'cancelled', 'absent']),
        carrier: z.string().nullable(),
        tracking_number: z.string().nullable(),
      })
      .nullable()
      .openapi({ description: 'The current state at the warehouse. Null when unknown.' }),
  })
  .openapi('Shipment');

export const orderViewSchema = orderSchema
  .extend({
    payment: paymentViewSchema.nullable(),
    shipment: shipmentSchema.nullable(),
    refunds: z.array(refundEntrySchema),
    timeline: z.array(timelineEntrySchema),
    attention: attentionSchema.nullable().openapi({
      description:
        'The steps that wait for an operator. Null when there are none, and for storefront keys.',
    }),
    trouble: z.array(troubleSchema).openapi({
      description:
        'The steps that failed and are being retried now. Empty when there are none, and for ' +
        'storefront keys. A step that gave up is in `attention`.',
    }),
    warnings: z.array(z.object({ part: z.string(), detail: z.string() })),
  })
  .openapi('Order');
export type OrderView = z.output<typeof orderViewSchema>;

export const orderParam = z.object({ id: z.string().openapi({ example: ORDER_ID }) });
export const orderListSchema = listOf(orderSchema);
export const timelineSchema = listOf(timelineEntrySchema);

export const cancelBody = z
  .strictObject({
    reason: text(500)
      .optional()
      .openapi({ description: 'Free text. Not stored; the API key identifies who cancelled.' }),
  })
  .openapi('CancelOrder', { example: { reason: 'ordered twice' } });
export const cancelSchema = z
  .object({
    id: z.string(),
    object: z.literal('order'),
    status: z.literal('cancelling'),
    pending_compensations: z.array(z.string()),
  })
  .openapi('CancelAccepted');
