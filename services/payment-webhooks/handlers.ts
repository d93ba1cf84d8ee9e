/** The webhooks of the payment provider that change something here, by their type. */
import type { PaymentWebhookEvent } from '../../gateways/stripe/events.ts';
import type { PaymentWebhookHandler } from './handler.ts';
import { chargeRefundedHandler, refundHandler } from './refunds.ts';
import { settlesWaiting } from './waiting-payments.ts';

/** A type without a handler is only compared with our records. */
const HANDLERS: Readonly<Partial<Record<PaymentWebhookEvent, PaymentWebhookHandler>>> = {
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
