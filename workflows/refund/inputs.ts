/** What a refund accepts. */
import { actor, bool, count, currency, object, optional, orderId, refundId } from '../schema.ts';
import type { RefundInput, RetryRefund } from './contract.ts';

export const refundInput = object<RefundInput>({
  refundId,
  orderId,
  amountMinor: count,
  currency,
  inspectable: optional(bool),
});
export const retryRefund = object<RetryRefund>({ actor });
