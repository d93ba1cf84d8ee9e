/** What a refund accepts. */
import { actor, count, currency, object, orderId, refundId } from '../schema.ts';
import type { RefundInput, RetryRefund } from './contract.ts';

export const refundInput = object<RefundInput>({ refundId, orderId, amountMinor: count, currency });
export const retryRefund = object<RetryRefund>({ actor });
