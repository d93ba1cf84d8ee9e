/** Refunds, and how much of an order can be refunded. Pure. */
import type { OrderId, RefundId } from './ids.ts';
import type { CancelReason, OrderStatus } from './order.ts';
import type { Payment, PaymentStatus } from './payment.ts';
import type { RefundedLine } from './refund-lines.ts';

export const REFUND_STATUSES = [
  'requested',
  'pending',
  'requires_action',
  'needs_attention',
  'succeeded',
  'failed',
  'canceled',
] as const;
/**
 * `requested`: the provider has not accepted it yet. `pending`, `requires_action`: accepted, and not sure
 * for as long as the provider takes. `needs_attention`: the retry budget is used up, or it was pending for
 * too long; an operator redrives it. `failed`, `canceled`: nothing was returned.
 */
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** The states of a refund at the provider (https://docs.stripe.com/refunds). */
export type ProviderRefundStatus = Exclude<RefundStatus, 'requested' | 'needs_attention'>;
/** Those in which it is accepted and not sure. */
export type PendingRefundStatus = Extract<RefundStatus, 'pending' | 'requires_action'>;
/** Those in which nothing was returned. */
export type FailedRefundStatus = Extract<RefundStatus, 'failed' | 'canceled'>;

export const REFUND_CAUSES = ['requested', 'order_cancelled', 'provider'] as const;
/**
 * `order_cancelled`: the compensation of a capture. `requested`: through the API. `provider`: made at
 * the provider, such as in its dashboard.
 */
export type RefundCause = (typeof REFUND_CAUSES)[number];

/**
 * The failure code of the refund that a compensation was making when an operator skipped it. The provider may
 * have made it all the same.
 */
export const SETTLED_MANUALLY = 'settled_manually';

/** For how long a pending refund is followed before a person is asked. */
export const REFUND_FOLLOWED_MS = 30 * 24 * 3_600_000;

/** A refund as the provider has it now. */
export interface ProviderRefund {
  /** E.g. `re_...`. */
  readonly reference: string;
  /** The refunded payment. */
  readonly paymentReference: string;
  /** The key of our refund; null when it was not made by us. */
  readonly key: string | null;
  readonly amountMinor: number;
  readonly currency: string;
  readonly status: ProviderRefundStatus;
  /** Why it failed, or was canceled; else null. */
  readonly failureCode: string | null;
}

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
  /** Why the provider refused, or could not return the money. */
  readonly failureCode: string | null;
  /** The provider's id, e.g. `re_...`; null before it has accepted the refund. */
  readonly providerReference: string | null;
  /** When the provider accepted it without being sure; null when it was sure at once. */
  readonly acceptedAt: string | null;
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
  | 'credit_after_cancel'
  | 'disputed'
  | 'too_many_refunds';

export type Refundability =
  | { readonly kind: 'refundable'; readonly leftMinor: number }
  | { readonly kind: 'not_refundable'; readonly reason: NotRefundableReason };

/** `original`: back to where the money came from. `credit`: all of it becomes store credit. */
export const REFUND_TARGETS = ['original', 'credit'] as const;
export type RefundTarget = (typeof REFUND_TARGETS)[number];

/** The part of a refund that becomes store credit: what the card has not paid, or all of it. */
export function creditPartOf(
  amountMinor: number,
  payment: RefundableOrder['payment'],
  to: RefundTarget,
): number {
  const cardLeftMinor = keptOfCard(payment);
  return to === 'credit' ? amountMinor : Math.max(0, amountMinor - cardLeftMinor);
}

/** The part of a refund that the provider returns to the card. */
export function cardPartOf({
  amountMinor,
  creditMinor,
}: Pick<Refund, 'amountMinor' | 'creditMinor'>): number {
  return amountMinor - creditMinor;
}

/** What the card has paid and is not returned, being returned, or taken back by a bank. */
function keptOfCard(payment: RefundableOrder['payment']): number {
  const { capturedMinor, refundedMinor, refundingMinor, disputedMinor } = payment;
  return Math.max(0, capturedMinor - refundedMinor - refundingMinor - disputedMinor);
}

/** The same of what was paid, by card and by credit, less what became credit. */
export function leftToRefund(payment: RefundableOrder['payment']): number {
  const { capturedMinor, creditMinor, refundedMinor, refundingMinor, disputedMinor } = payment;
  const returned = refundedMinor + refundingMinor + payment.creditedMinor + payment.creditingMinor;
  return Math.max(0, capturedMinor + creditMinor - returned - disputedMinor);
}

/** What a cancelled order has left on its card: its credit was given back. */
export function leftOnCard(payment: RefundableOrder['payment']): number {
  // Less, when money of the card became credit.
  return Math.min(keptOfCard(payment), leftToRefund(payment));
}

export interface RefundableOrder {
  readonly status: OrderStatus;
  readonly cancelReason: CancelReason | null;
  readonly payment: Pick<
    Payment,
    | 'status'
    | 'creditMinor'
    | 'capturedMinor'
    | 'refundedMinor'
    | 'refundingMinor'
    | 'creditedMinor'
    | 'creditingMinor'
    | 'disputedMinor'
    | 'currency'
    | 'capturedManually'
  >;
  /** The number of refunds that succeeded or are open. */
  readonly refunds: number;
}

/**
 * How much can still be refunded. An order that is being cancelled refunds everything on its own; once it
 * is cancelled, only what a failed refund left on the card is left.
 */
export function refundability({
  status,
  cancelReason,
  payment,
  refunds,
}: RefundableOrder): Refundability {
  if (status === 'cancelling') return notRefundable('being_cancelled');
  if (status === 'needs_attention' && cancelReason !== null) {
    return notRefundable('being_cancelled');
  }
  const leftMinor = status === 'cancelled' ? leftOnCard(payment) : leftToRefund(payment);
  if (status === 'cancelled' && leftMinor === 0) return notRefundable('already_cancelled');
  if (!CAPTURED.includes(payment.status)) {
    return notRefundable(payment.capturedManually ? 'captured_manually' : 'not_captured');
  }
  if (refunds >= MAX_REFUNDS) return notRefundable('too_many_refunds');
  if (leftMinor === 0 && payment.disputedMinor > 0) return notRefundable('disputed');
  return { kind: 'refundable', leftMinor };
}

/** A payment of nothing is captured as well, when credit pays all of the order. */
const CAPTURED: readonly PaymentStatus[] = ['captured', 'partially_refunded', 'refunded'];

/** The step under which the failures of a refund are counted. */
export function refundStep(id: RefundId): string {
  return `refund: ${id}`;
}

function notRefundable(reason: NotRefundableReason): Refundability {
  return { kind: 'not_refundable', reason };
}
