/** The webhooks of the payment provider that change something here, by their type. */
import type { PaymentWebhookEvent } from '../../gateways/stripe/events.ts';
import { followsDispute, followsReview, followsWarning } from './cases.ts';
import type { PaymentWebhookHandler } from './handler.ts';
import { chargeRefundedHandler, refundHandler } from './refunds.ts';
import { settlesWaiting } from './waiting-payments.ts';

/** A type without a handler is only compared with our records. */
const HANDLERS: Readonly<Partial<Record<PaymentWebhookEvent, PaymentWebhookHandler>>> = {
  'charge.dispute.created': followsDispute,
  'charge.dispute.updated': followsDispute,
  'charge.dispute.funds_withdrawn': followsDispute,
  'charge.dispute.funds_reinstated': followsDispute,
  'charge.dispute.closed': followsDispute,
  'radar.early_fraud_warning.created': followsWarning,
  'radar.early_fraud_warning.updated': followsWarning,
  'review.opened': followsReview,
  'review.closed': followsReview,
  'payment_intent.amount_capturable_updated': settlesWaiting,
  'payment_intent.payment_failed': settlesWaiting,
  'payment_intent.canceled': settlesWaiting,
  'charge.refunded': chargeRefundedHandler,
  'refund.created': refundHandler,
  'refund.updated': refundHandler,
  'refund.failed': refundHandler,
};

const BY_TYPE: ReadonlyMap<string, PaymentWebhookHandler> = new Map(Object.entries(HANDLERS));

export function handlerOf(type: string): PaymentWebhookHandler | undefined {
  return BY_TYPE.get(type);
}
