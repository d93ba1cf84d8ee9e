/** An operator's refund calls, and the outcome as the refund's workflow would record it. */
import type { OrderId } from '../../domain/ids.ts';
import {
  recordRefundFailed,
  recordRefundSucceeded,
} from '../../prisma/payments/refund-outcomes.ts';
import { listRefunds } from '../../prisma/payments/refunds.ts';
import type { Shop } from '../support/shop.ts';

/** An operator's words, with a person in them. */
export const REASON = 'arrived broken, says canary.person@example.com';

export function refundCalls(shop: Shop) {
  return {
    refund: (orderId: string, body: object = {}, key: string = crypto.randomUUID()) =>
      shop.request('POST', `/v1/orders/${orderId}/refunds`, {
        role: 'operator',
        key,
        body: { reason: REASON, ...body },
      }),
    show: (path: string) => shop.request('GET', path, { role: 'operator' }),
    /** The latest refund of the order ends so. */
    async settle(orderId: OrderId, outcome: 'succeeded' | 'failed'): Promise<void> {
      const { db } = shop;
      const refund = (await listRefunds(db, orderId)).at(-1);
      if (!refund) throw new Error('no refund');
      if (outcome === 'succeeded') await recordRefundSucceeded(db, refund, 're_1');
      else await recordRefundFailed(db, refund, 'insufficient_funds');
    },
  };
}
