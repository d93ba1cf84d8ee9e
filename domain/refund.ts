/** Refunds as data, and what of an order's money can be given back. Pure. */
import type { OrderId, RefundId } from './ids.ts';
import type { CancelReason, OrderStatus, Payment } from './order.ts';

export const REFUND_STATUSES = ['requested', 'needs_attention', 'succeeded', 'failed'] as const;
/** `needs_attention`: its outcome is not known and the tries are used up; a person redrives it. */
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** `order_cancelled`: the undo of a capture. The others were asked for. */
export type RefundCause = 'requested' | 'order_cancelled';

export interface Refund {
  readonly id: RefundId;
  readonly orderId: OrderId;
  /** The provider's idempotency key. */
  readonly key: string;
  readonly cause: RefundCause;
  readonly status: RefundStatus;
  readonly amountMinor: number;
  readonly currency: string;
  /** Why, in a person's words. Never leaves PostgreSQL and the operators' API. */
  readonly reason: string | null;
  /** Why the provider refused. */
  readonly failureCode: string | null;
  readonly requestedAt: string;
  readonly settledAt: string | null;
}

/** An order of so many refunds is nobody's business case; the provider's list of them is one page. */
export const MAX_REFUNDS = 50;

/** Why nothing of the order can be given back on request. */
export type NotRefundableReason =
  | 'not_captured'
  | 'captured_manually'
  | 'being_cancelled'
  | 'already_cancelled'
  | 'too_many_refunds';

export type Refundability =
  | { readonly kind: 'refundable'; readonly leftMinor: number }
  | { readonly kind: 'not_refundable'; readonly reason: NotRefundableReason };

export interface RefundableOrder {
  readonly status: OrderStatus;
  readonly cancelReason: CancelReason | null;
  readonly payment: Pick<
    Payment,
    | 'status'
    | 'capturedMinor'
    | 'refundedMinor'
    | 'refundingMinor'
    | 'currency'
    | 'capturedManually'
  >;
  /** Of every status. */
  readonly refunds: number;
}

/** What can still be given back. An order on its way to `cancelled` gives everything back itself. */
export function refundability({
  status,
  cancelReason,
  payment,
  refunds,
}: RefundableOrder): Refundability {
  if (status === 'cancelled') return notRefundable('already_cancelled');
  if (status === 'cancelling') return notRefundable('being_cancelled');
  if (status === 'needs_attention' && cancelReason !== null) {
    return notRefundable('being_cancelled');
  }
  if (payment.capturedMinor === 0) {
    return notRefundable(payment.capturedManually ? 'captured_manually' : 'not_captured');
  }
  if (refunds >= MAX_REFUNDS) return notRefundable('too_many_refunds');
  const { capturedMinor, refundedMinor, refundingMinor } = payment;
  return { kind: 'refundable', leftMinor: capturedMinor - refundedMinor - refundingMinor };
}

/** The step a refund is; its failures are counted like any other's. */
export function refundStep(id: RefundId): string {
  return `refund: ${id}`;
}

function notRefundable(reason: NotRefundableReason): Refundability {
  return { kind: 'not_refundable', reason };
}
