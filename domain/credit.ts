/** Store credit: an append-only ledger of entries per customer and currency. Pure. */
import type { CustomerId, OrderId, RefundId } from './ids.ts';

/**
 * `granted`: by an operator. `spent`: by an order. `given_back`: the order ended unpaid. `refunded`: a
 * refund to store credit. `expired`: what was left of a grant.
 */
export const CREDIT_ENTRY_KINDS = [
  'granted',
  'spent',
  'given_back',
  'refunded',
  'expired',
] as const;
export type CreditEntryKind = (typeof CREDIT_ENTRY_KINDS)[number];

export interface CreditEntry {
  readonly id: string;
  readonly customerId: CustomerId;
  readonly kind: CreditEntryKind;
  /** Negative: the balance falls. */
  readonly amountMinor: number;
  readonly currency: string;
  readonly orderId: OrderId | null;
  readonly refundId: RefundId | null;
  /** Of a grant that expires. */
  readonly expiresAt: string | null;
  /** Free text of an operator about a grant. Stays in PostgreSQL and the operators' API. */
  readonly reason: string | null;
  readonly createdAt: string;
}
