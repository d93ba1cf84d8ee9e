/**
 * The payment provider as the shop needs it: manual capture. One idempotency key per intent
 * (`providerKey`), passed unchanged on every repeat.
 */
import type { OrderId } from '../domain/ids.ts';
import type { Money } from '../domain/money.ts';
import type { BreakerView, NoAnswer, Unavailable } from './resilience/outcome.ts';

export interface AuthorizeRequest {
  readonly key: string;
  readonly orderId: OrderId;
  readonly amount: Money;
  /** The token the shopper's browser got from the provider, e.g. `pm_card_visa`. */
  readonly paymentMethod: string;
  /** Aborted before the call is sent: it is not sent, and the outcome is `unavailable`. */
  readonly signal?: AbortSignal | undefined;
}

export interface SettleRequest {
  readonly key: string;
  readonly orderId: OrderId;
  /** The provider's id of the authorization, e.g. `pi_...`. */
  readonly reference: string;
  readonly amount: Money;
}

export type AuthorizeOutcome =
  | {
      readonly kind: 'authorized';
      readonly reference: string;
      /** Until when it can be captured (ISO 8601); null when the provider does not say. */
      readonly captureBefore: string | null;
    }
  | {
      readonly kind: 'declined';
      /** The provider's reason, e.g. `insufficient_funds` (Stripe's decline_code). */
      readonly code: string;
      readonly reference: string | null;
    }
  | NoAnswer;

/** The provider's own view of one order's money. */
export interface ProviderPayment {
  readonly reference: string;
  /** The order it names; null when it names none. */
  readonly orderId: string | null;
  readonly amountMinor: number;
  readonly currency: string;
  /** ISO 8601, by the provider's clock. */
  readonly createdAt: string;
  readonly state: 'processing' | 'authorized' | 'captured' | 'voided' | 'declined';
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly declineCode: string | null;
  /** Until when held money can be captured (ISO 8601); null when the provider does not say. */
  readonly captureBefore: string | null;
}

export type PaymentLookup =
  | { readonly kind: 'found'; readonly payment: ProviderPayment }
  | { readonly kind: 'absent' }
  | NoAnswer;

/** `refused` means the provider answered and nothing was done, e.g. the authorization expired. */
export type SettleOutcome =
  | { readonly kind: 'done'; readonly reference: string }
  | { readonly kind: 'refused'; readonly code: string }
  | NoAnswer;

/** A span of the provider's books (ISO 8601, `to` exclusive); `after`: the page's `next` before. */
export interface ListWindow {
  readonly from: string;
  readonly to: string;
  readonly after: string | null;
}

export type PaymentsPage =
  | {
      readonly kind: 'page';
      readonly payments: readonly ProviderPayment[];
      readonly next: string | null;
    }
  | NoAnswer;

export type RefundsPage =
  | { readonly kind: 'page'; readonly references: readonly string[]; readonly next: string | null }
  | NoAnswer;

export interface PaymentGateway {
  /** Holds the money without taking it. Deadline 2 s: a shopper waits for it. */
  authorize(request: AuthorizeRequest): Promise<AuthorizeOutcome>;
  /** What `authorize` would answer now without asking the provider; null when it would ask. */
  authorizeUnavailable(): Unavailable | null;
  /** Finds the payment by its reference if known, else by the order id in its metadata. */
  lookUp(request: {
    readonly orderId: OrderId;
    readonly reference: string | null;
    readonly signal?: AbortSignal | undefined;
  }): Promise<PaymentLookup>;
  /** The payment of this reference, whosever it is. */
  lookUpReference(reference: string): Promise<PaymentLookup>;
  /** Takes the held money. */
  capture(request: SettleRequest): Promise<SettleOutcome>;
  /** Lets the held money go. `amount` is only for the books. */
  voidAuthorization(request: SettleRequest): Promise<SettleOutcome>;
  /** Gives captured money back. */
  refund(request: SettleRequest): Promise<SettleOutcome>;
  /** All payments made in a span of time, ours or not, page by page. */
  listPayments(window: ListWindow): Promise<PaymentsPage>;
  /** References of the payments of which something was given back in a span of time. */
  listRefunds(window: ListWindow): Promise<RefundsPage>;
  breakers(): readonly BreakerView[];
}
