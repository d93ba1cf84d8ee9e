/**
 * The payment provider as the shop needs it: manual capture. One idempotency key per intent
 * (`providerKey`), passed unchanged on every repeat; the adapter may derive others from it.
 */
import type { OrderId } from '../domain/ids.ts';
import type { AmountLimits, Money } from '../domain/money.ts';
import type { CaseKind } from '../domain/payment-case.ts';
import type { PendingRefundStatus, ProviderRefund } from '../domain/refund.ts';
import type {
  BreakerView,
  NoResponse,
  Unavailable,
  UnreadableRecord,
} from './resilience/outcome.ts';

export interface AuthorizeRequest {
  readonly key: string;
  readonly orderId: OrderId;
  readonly amount: Money;
  /** The token the shopper's browser got from the provider, e.g. `pm_card_visa`. */
  readonly paymentMethod: string;
  /** An abort before the call is sent prevents it; the outcome is then `unavailable`. */
  readonly signal?: AbortSignal | undefined;
}

export interface SettleRequest {
  readonly key: string;
  readonly orderId: OrderId;
  /** The provider's id of the authorization, e.g. `pi_...`. */
  readonly reference: string;
  readonly amount: Money;
}

/**
 * What the shopper's browser needs to confirm a payment, such as with 3-D Secure. Read from the provider
 * each time it is needed, never stored and never logged: with the secret anybody can confirm the payment.
 */
export interface PaymentAction {
  readonly clientSecret: string;
  /** For the provider's own script, in its own form. */
  readonly nextAction: Readonly<Record<string, unknown>>;
}

export type AuthorizeOutcome =
  | {
      readonly kind: 'authorized';
      readonly reference: string;
      /** The end of the authorization (ISO 8601); null when the provider does not return it. */
      readonly captureBefore: string | null;
    }
  /** Nothing is held yet: the shopper has to confirm the payment first. */
  | {
      readonly kind: 'action_required';
      readonly reference: string;
      readonly action: PaymentAction;
    }
  | {
      readonly kind: 'declined';
      /** The provider's reason, e.g. `insufficient_funds` (Stripe's decline_code). */
      readonly code: string;
      readonly reference: string | null;
    }
  /** The request, not the shopper's payment method: nothing was done, and a retry cannot succeed. */
  | { readonly kind: 'refused'; readonly code: string }
  | NoResponse;

/** The provider's record of one order's payment. */
export interface ProviderPayment {
  readonly reference: string;
  /** The order it names; null when it names none. */
  readonly orderId: string | null;
  readonly amountMinor: number;
  readonly currency: string;
  /** ISO 8601, by the provider's clock. */
  readonly createdAt: string;
  readonly state:
    'processing' | 'action_required' | 'authorized' | 'captured' | 'voided' | 'declined';
  /** In the state `action_required`; else null. */
  readonly action: PaymentAction | null;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly declineCode: string | null;
  /** The end of the authorization (ISO 8601); null when the provider does not return it. */
  readonly captureBefore: string | null;
  /** The id of its review, open or not; null when there is none. */
  readonly review: string | null;
}

export type PaymentLookup =
  | { readonly kind: 'found'; readonly payment: ProviderPayment }
  | { readonly kind: 'absent' }
  | NoResponse;

/** `done`: the payment can never be authorized or captured any more. */
export type VoidOutcome =
  | {
      readonly kind: 'done';
      readonly reference: string;
      /** False when there was nothing to void yet: the shopper had not confirmed the payment. */
      readonly wasAuthorized: boolean;
    }
  | Exclude<SettleOutcome, { readonly kind: 'done' }>;

/** `done`: with the review of the payment, open or not; null when there is none. */
export type CaptureOutcome =
  | { readonly kind: 'done'; readonly reference: string; readonly review: string | null }
  | Exclude<SettleOutcome, { readonly kind: 'done' }>;

/** `refused`: the provider responded and nothing was done, e.g. the authorization had expired. */
export type SettleOutcome =
  | { readonly kind: 'done'; readonly reference: string }
  | { readonly kind: 'refused'; readonly code: string }
  | NoResponse;

/**
 * `pending`: accepted, and not sure yet; `reference` is the refund's, by which it is followed. `refused`:
 * nothing is returned.
 */
export type RefundOutcome =
  | { readonly kind: 'done'; readonly reference: string }
  | { readonly kind: 'pending'; readonly reference: string; readonly status: PendingRefundStatus }
  | { readonly kind: 'refused'; readonly code: string }
  | NoResponse;

export type RefundLookup =
  | { readonly kind: 'found'; readonly refund: ProviderRefund }
  /** Also for a refund that is of no payment. */
  | { readonly kind: 'absent' }
  | NoResponse;

export type RefundsOfPayment =
  { readonly kind: 'listed'; readonly refunds: readonly ProviderRefund[] } | NoResponse;

/** A time window (ISO 8601, `to` exclusive); `after` is the `next` of the previous page. */
export interface ListWindow {
  readonly from: string;
  readonly to: string;
  readonly after: string | null;
}

/** One page of what a window holds; `next` is null on the last. */
type PageOf<Records> =
  | (Records & {
      readonly kind: 'page';
      readonly unreadable: readonly UnreadableRecord[];
      readonly next: string | null;
    })
  | NoResponse;

export type PaymentsPage = PageOf<{ readonly payments: readonly ProviderPayment[] }>;
export type RefundsPage = PageOf<{ readonly references: readonly string[] }>;

/** A dispute, an early fraud warning or a review, as the provider has it now. */
export interface ProviderCase {
  readonly kind: CaseKind;
  readonly id: string;
  /** The payment; null when it names none. */
  readonly reference: string | null;
  /** The provider's: of a warning `actionable` or not, of a review `open` or why it was closed. */
  readonly status: string;
  readonly isOpen: boolean;
  /** Of a dispute. */
  readonly amountMinor: number | null;
  readonly currency: string | null;
  readonly reason: string;
  /** Until when a dispute can be responded to. */
  readonly respondBy: string | null;
  readonly openedAt: string;
}

export type CaseLookup =
  | { readonly kind: 'found'; readonly found: ProviderCase }
  | { readonly kind: 'absent' }
  | NoResponse;

export type CasesPage = PageOf<{ readonly cases: readonly ProviderCase[] }>;

export interface PaymentGateway {
  /** The amounts that can be charged in a currency; null when no card can be charged in it. */
  limitsOf(currency: string): AmountLimits | null;
  /** Authorizes the amount without capturing it. Its deadline is short: a shopper waits for it. */
  authorize(request: AuthorizeRequest): Promise<AuthorizeOutcome>;
  /** What `authorize` would return now without a call; null when it would call the provider. */
  authorizeUnavailable(): Unavailable | null;
  /** Finds the payment by its reference if known, else by the order id in its metadata. */
  lookUp(request: {
    readonly orderId: OrderId;
    readonly reference: string | null;
    readonly signal?: AbortSignal | undefined;
  }): Promise<PaymentLookup>;
  /** The payment with this reference, of any order. */
  lookUpReference(reference: string): Promise<PaymentLookup>;
  /** Captures an authorization. */
  capture(request: SettleRequest): Promise<CaptureOutcome>;
  /** Voids an authorization, or ends a payment that waits for one. `amount` is only for the records. */
  voidAuthorization(request: SettleRequest): Promise<VoidOutcome>;
  /** Refunds a captured amount. A refund under the same key is found, never made twice. */
  refund(request: SettleRequest): Promise<RefundOutcome>;
  /** The refund with this reference, ours or not. */
  lookUpRefund(reference: string): Promise<RefundLookup>;
  /** Every refund of the payment with this reference, ours or not, newest first. */
  listRefundsOf(paymentReference: string): Promise<RefundsOfPayment>;
  /** All payments created in a time window, ours or not, page by page. */
  listPayments(window: ListWindow): Promise<PaymentsPage>;
  /** References of the payments refunded in a time window. */
  listRefunds(window: ListWindow): Promise<RefundsPage>;
  /** A dispute, an early fraud warning or a review. */
  lookUpCase(request: { readonly kind: CaseKind; readonly id: string }): Promise<CaseLookup>;
  /** Those opened in a time window, page by page; of the reviews only the open ones. */
  listCases(window: ListWindow & { readonly kind: CaseKind }): Promise<CasesPage>;
  breakers(): readonly BreakerView[];
}
