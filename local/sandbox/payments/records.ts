/** The stored payments and refunds, and their form in Stripe's API. */
import { z } from 'zod';

export const intentSchema = z.object({
  id: z.string(),
  charge_id: z.string(),
  client_secret: z.string(),
  amount_minor: z.int(),
  currency: z.string(),
  status: z.enum(['requires_capture', 'succeeded', 'canceled', 'requires_payment_method']),
  captured_minor: z.int(),
  refunded_minor: z.int(),
  payment_method: z.string(),
  metadata: z.record(z.string(), z.string()),
  description: z.string().nullable(),
  decline: z.object({ code: z.string(), declineCode: z.string(), message: z.string() }).nullable(),
  created_at_ms: z.number(),
  canceled_at_ms: z.number().nullable(),
  cancellation_reason: z.string().nullable(),
});
export type Intent = Readonly<z.output<typeof intentSchema>>;

export const refundSchema = z.object({
  id: z.string(),
  intent_id: z.string(),
  charge_id: z.string(),
  amount_minor: z.int(),
  currency: z.string(),
  reason: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  created_at_ms: z.number(),
});
export type Refund = Readonly<z.output<typeof refundSchema>>;

/** The Stripe PaymentIntent. `expand` lists the fields shown as objects instead of ids. */
export function showIntent(intent: Intent, expand: readonly string[] = []): object {
  return {
    id: intent.id,
    object: 'payment_intent',
    amount: intent.amount_minor,
    amount_capturable: intent.status === 'requires_capture' ? intent.amount_minor : 0,
    amount_received: intent.captured_minor,
    canceled_at: seconds(intent.canceled_at_ms),
    cancellation_reason: intent.cancellation_reason,
    capture_method: 'manual',
    client_secret: intent.client_secret,
    confirmation_method: 'automatic',
    created: seconds(intent.created_at_ms),
    currency: intent.currency,
    customer: null,
    description: intent.description,
    last_payment_error: intent.decline === null ? null : showDecline(intent),
    latest_charge: expand.includes('latest_charge') ? showCharge(intent) : intent.charge_id,
    livemode: false,
    metadata: intent.metadata,
    next_action: null,
    payment_method: intent.decline === null ? intent.payment_method : null,
    payment_method_types: ['card'],
    status: intent.status,
  };
}

/** The Stripe Charge behind an intent. */
export function showCharge(intent: Intent): object {
  const failed = intent.decline !== null;
  return {
    id: intent.charge_id,
    object: 'charge',
    amount: intent.amount_minor,
    amount_captured: intent.captured_minor,
    amount_refunded: intent.refunded_minor,
    captured: intent.status === 'succeeded',
    created: seconds(intent.created_at_ms),
    currency: intent.currency,
    failure_code: intent.decline?.code ?? null,
    failure_message: intent.decline?.message ?? null,
    livemode: false,
    metadata: intent.metadata,
    paid: !failed,
    payment_intent: intent.id,
    payment_method: intent.payment_method,
    payment_method_details: { type: 'card', card: cardOf(intent) },
    refunded: intent.captured_minor > 0 && intent.refunded_minor === intent.captured_minor,
    status: failed ? 'failed' : 'succeeded',
  };
}

/** Stripe's window for card authorizations: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method */
export const AUTHORIZATION_WINDOW_MS = 7 * 24 * 60 * 60 * 1000;

function cardOf(intent: Intent): object {
  if (intent.status !== 'requires_capture') return {};
  return { capture_before: seconds(intent.created_at_ms + AUTHORIZATION_WINDOW_MS) };
}

/** The Stripe Refund. */
export function showRefund(refund: Refund): object {
  return {
    id: refund.id,
    object: 'refund',
    amount: refund.amount_minor,
    charge: refund.charge_id,
    created: seconds(refund.created_at_ms),
    currency: refund.currency,
    metadata: refund.metadata,
    payment_intent: refund.intent_id,
    reason: refund.reason,
    status: 'succeeded',
  };
}

/** The order an intent belongs to, from the metadata the shop sent. */
export function orderOf(intent: Intent): string | null {
  return intent.metadata['order_id'] ?? null;
}

function showDecline(intent: Intent): object {
  return {
    type: 'card_error',
    code: intent.decline?.code,
    decline_code: intent.decline?.declineCode,
    message: intent.decline?.message,
    charge: intent.charge_id,
  };
}

function seconds(atMs: number): number;
function seconds(atMs: number | null): number | null;
function seconds(atMs: number | null): number | null {
  return atMs === null ? null : Math.floor(atMs / 1000);
}
