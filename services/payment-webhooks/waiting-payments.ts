/** Webhooks about a payment that the shopper has to confirm: confirmed, failed, or ended. */
import { findPaymentWait, findWaiting } from '../../prisma/orders/payment-actions.ts';
import { settleAndStart } from '../settle-action.ts';
import type { PaymentWebhookHandler } from './handler.ts';

/** Every order has such webhooks. Only those of orders that wait change something. */
export const settlesWaiting: PaymentWebhookHandler = {
  async select(db, messages) {
    const orderIds = messages.flatMap(({ orderId }) => orderId ?? []);
    if (orderIds.length === 0) return new Set();
    const waiting = await findWaiting(db, orderIds);
    return new Set(
      messages.flatMap(({ id, orderId }) => (orderId !== null && waiting.has(orderId) ? id : [])),
    );
  },
  async handle(deps, { orderId }) {
    if (orderId === null || (await findPaymentWait(deps.db, orderId)) === null) return 'compare';
    const { kind } = await settleAndStart(deps, orderId);
    // Then our records agree with it, or the payment has another state by now.
    return kind === 'later' ? 'later' : 'compare';
  },
};
