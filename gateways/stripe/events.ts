/**
 * The events that a webhook endpoint for Holdfast subscribes to, and what each means. The one list: the
 * handlers, docs/stripe.md and the check of an account read it
 * (https://docs.stripe.com/api/events/types).
 */
export const PAYMENT_WEBHOOK_EVENTS = {
  'payment_intent.amount_capturable_updated': 'authorized',
  'payment_intent.payment_failed': 'declined',
  'payment_intent.requires_action': 'the shopper must confirm the payment',
  'payment_intent.succeeded': 'captured',
  'payment_intent.canceled': 'voided',
  'charge.refunded': 'refunded, perhaps in the dashboard',
  'refund.created': 'a refund was made, perhaps in the dashboard',
  'refund.updated': 'a refund has another status',
  'refund.failed': 'a refund that was accepted failed later',
  'charge.dispute.created': 'a dispute, or an inquiry before one',
  'charge.dispute.updated': 'a dispute has another status, or other evidence',
  'charge.dispute.funds_withdrawn': 'the disputed money is gone',
  'charge.dispute.funds_reinstated': 'the disputed money is back',
  'charge.dispute.closed': 'a dispute was won, lost, or never became more than an inquiry',
  'radar.early_fraud_warning.created': "the card's bank reports fraud",
  'radar.early_fraud_warning.updated': 'a warning can, or can no longer, be acted on',
  'review.opened': 'a payment waits for a review',
  'review.closed': 'a review ended',
} as const;

export type PaymentWebhookEvent = keyof typeof PAYMENT_WEBHOOK_EVENTS;
