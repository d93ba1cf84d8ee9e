/**
 * The payment provider as the shop needs it: manual capture. One idempotency key per intent
 * (`providerKey`), passed unchanged on every repeat.
 */
import type { OrderId } from '../domain/ids.ts';
import type { Money } from '../domain/money.ts';
import type { BreakerView, NoAnswer, Unavailable } from './outcome.ts';

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
  | { readonly kind: 'authorized'; readonly reference: string }
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
  readonly state: 'processing' | 'authorized' | 'captured' | 'voided' | 'declined';
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly declineCode: string | null;
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

export interface PaymentGateway {
  /** Holds the money without taking it. Deadline 2 s: a shopper waits for it. */
  authorize(request: AuthorizeRequest): Promise<AuthorizeOutcome>;
  /** What `authorize` would answer now without asking the provider; null when it would ask. */
  authorizeRefusal(): Unavailable | null;
  /** Finds the payment by its reference if known, else by the order id in its metadata. */
  lookUp(request: {
    readonly orderId: OrderId;
    readonly reference: string | null;
    readonly signal?: AbortSignal | undefined;
  }): Promise<PaymentLookup>;
  /** Takes the held money. */
  capture(request: SettleRequest): Promise<SettleOutcome>;
  /** Lets the held money go. `amount` is only for the books. */
  voidAuthorization(request: SettleRequest): Promise<SettleOutcome>;
  /** Gives captured money back. */
  refund(request: SettleRequest): Promise<SettleOutcome>;
  breakers(): readonly BreakerView[];
}
