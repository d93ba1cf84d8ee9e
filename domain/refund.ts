/** Refunds, and how much of an order can be refunded. Pure. */
import type { OrderId, RefundId } from './ids.ts';
import type { CancelReason, OrderStatus, Payment } from './order.ts';
import type { RefundedLine } from './refund-lines.ts';

export const REFUND_STATUSES = ['requested', 'needs_attention', 'succeeded', 'failed'] as const;
/** `needs_attention`: its outcome is unknown and the retry budget is used up; an operator redrives it. */
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** `order_cancelled`: the compensation of a capture. `requested`: through the API. */
export type RefundCause = 'requested' | 'order_cancelled';

export interface Refund {
  readonly id: RefundId;
  readonly orderId: OrderId;
  /** The provider's idempotency key. */
  readonly key: string;
  readonly cause: RefundCause;
  readonly status: RefundStatus;
  readonly amountMinor: number;
  /** The part of the amount that becomes store credit; the rest goes to the card. */
  readonly creditMinor: number;
  readonly currency: string;
  /** Of a refund by lines, in the order of the SKUs; empty when it is of an amount. */
  readonly lines: readonly RefundedLine[];
  /** Free text of an operator. Stays in PostgreSQL and the operators' API. */
  readonly reason: string | null;
  /** Why the provider refused. */
  readonly failureCode: string | null;
  readonly requestedAt: string;
  readonly settledAt: string | null;
}

/**
 * No order needs more refunds. It bounds the money's splinters and the calls of a compensation, so a
 * refund that failed does not count: it moved nothing.
 */
export const MAX_REFUNDS = 50;

/** Why an order cannot be refunded on request. */
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
  /** The number of refunds that succeeded or are open. */
  readonly refunds: number;
}

/** How much can still be refunded. An order that is being cancelled refunds everything on its own. */
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

/** The step under which the failures of a refund are counted. */
export function refundStep(id: RefundId): string {
  return `refund: ${id}`;
}

function notRefundable(reason: NotRefundableReason): Refundability {
  return { kind: 'not_refundable', reason };
}
