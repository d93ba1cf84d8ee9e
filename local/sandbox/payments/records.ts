/** The stored payments and refunds, and their form in Stripe's API. */
import { z } from 'zod';
import { REFUND_STATUSES } from './cards.ts';

export const intentSchema = z.object({
  id: z.string(),
  charge_id: z.string(),
  client_secret: z.string(),
  amount_minor: z.int(),
  currency: z.string(),
  status: z.enum([
    'requires_action',
    'requires_capture',
    'succeeded',
    'canceled',
    'requires_payment_method',
  ]),
  /** The idempotency key that it was created with; its authorization has the same. */
  key: z.string().nullable(),
  /** Where the shopper authenticates; null when the card asks for none. */
  challenge_url: z.string().nullable(),
  captured_minor: z.int(),
  refunded_minor: z.int(),
  /** What banks have taken back in disputes. */
  disputed_minor: z.int().default(0),
  review_id: z.string().nullable().default(null),
  payment_method: z.string(),
  metadata: z.record(z.string(), z.string()),
  description: z.string().nullable(),
  decline: z
    .object({ code: z.string(), declineCode: z.string().nullable(), message: z.string() })
    .nullable(),
  created_at_ms: z.number(),
  authorized_at_ms: z.number().nullable(),
  /** How long its authorization lasts. */
  window_ms: z.number().default(7 * 24 * 60 * 60 * 1000),
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
  /** The caller's idempotency key, or its own id, for the ledger. */
  key: z.string(),
  status: z.enum(REFUND_STATUSES),
  /** What it becomes some time later; null: nothing else. */
  becomes: z.enum(REFUND_STATUSES).nullable(),
  failure_reason: z.string().nullable(),
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
    last_payment_error: intent.decline && showDecline(intent.decline, intent.charge_id),
    latest_charge: latestCharge(intent, expand),
    livemode: false,
    metadata: intent.metadata,
    next_action: intent.status === 'requires_action' ? nextAction(intent) : null,
    payment_method: intent.decline === null ? intent.payment_method : null,
    payment_method_types: ['card'],
    review: intent.review_id,
    status: intent.status,
  };
}

/** What Stripe.js needs to let the shopper authenticate. */
function nextAction({ challenge_url: url }: Intent): object {
  return {
    type: 'use_stripe_sdk',
    use_stripe_sdk: { type: 'three_d_secure_redirect', stripe_js: url },
  };
}

/** There is no charge until the bank was asked for the money. */
function latestCharge(intent: Intent, expand: readonly string[]): object | string | null {
  if (!isCharged(intent)) return null;
  return expand.includes('latest_charge') ? showCharge(intent) : intent.charge_id;
}

function isCharged({ authorized_at_ms: authorizedAtMs, decline }: Intent): boolean {
  return authorizedAtMs !== null || (decline !== null && decline.declineCode !== null);
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
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    captured: intent.status === 'succeeded',
    created: seconds(intent.created_at_ms),
    currency: intent.currency,
    disputed: intent.disputed_minor > 0,
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

const DAY_MS = 24 * 60 * 60 * 1000;
/** Stripe's window for card authorizations: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method */
export const AUTHORIZATION_WINDOW_MS = 7 * DAY_MS;
/** The longest of https://docs.stripe.com/payments/extended-authorization */
export const EXTENDED_WINDOW_MS = 30 * DAY_MS;

function cardOf(intent: Intent): object {
  const expiry = { exp_month: 12, exp_year: 2034 };
  if (intent.status !== 'requires_capture' || intent.authorized_at_ms === null) return expiry;
  const captureBefore = seconds(intent.authorized_at_ms + intent.window_ms);
  const isExtended = intent.window_ms > AUTHORIZATION_WINDOW_MS;
  const extended_authorization = { status: isExtended ? 'enabled' : 'disabled' };
  return { ...expiry, capture_before: captureBefore, extended_authorization };
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
    status: refund.status,
    ...(refund.failure_reason !== null && { failure_reason: refund.failure_reason }),
    ...(refund.status === 'pending' && { pending_reason: 'processing' }),
  };
}

/** The order an intent belongs to, from the metadata the shop sent. */
export function orderOf(intent: Intent): string | null {
  return intent.metadata['order_id'] ?? null;
}

function showDecline(decline: NonNullable<Intent['decline']>, chargeId: string): object {
  const { code, declineCode, message } = decline;
  if (declineCode === null) return { type: 'invalid_request_error', code, message };
  return { type: 'card_error', code, decline_code: declineCode, message, charge: chargeId };
}

function seconds(atMs: number): number;
function seconds(atMs: number | null): number | null;
function seconds(atMs: number | null): number | null {
  return atMs === null ? null : Math.floor(atMs / 1000);
}
