/** The payment of an order. */
import type { OrderId, PaymentId } from './ids.ts';

export type PaymentStatus =
  | 'authorizing'
  /** The shopper has to confirm it, such as with 3-D Secure: nothing is held yet. */
  | 'requires_action'
  | 'declined'
  | 'authorized'
  | 'captured'
  | 'partially_refunded'
  | 'voided'
  | 'refunded';

/** The money of an order: the card's part, and the part that store credit pays. */
export interface Payment {
  readonly id: PaymentId;
  readonly orderId: OrderId;
  /** Of the card's part. */
  readonly status: PaymentStatus;
  /** The card's part, as it is authorized. 0: no payment provider is called. */
  readonly amountMinor: number;
  /** What is to be captured of it: less when not all of the order is sent. */
  readonly dueMinor: number;
  /** What store credit pays: less than it was to pay when not all of the order is sent. */
  readonly creditMinor: number;
  readonly capturedMinor: number;
  /** Refunded to the card. */
  readonly refundedMinor: number;
  /** The same of requested refunds that are not settled yet. */
  readonly refundingMinor: number;
  /** Refunded to store credit, from whichever part. */
  readonly creditedMinor: number;
  /** The same of requested refunds that are not settled yet. */
  readonly creditingMinor: number;
  /** What banks have taken back in disputes, open or lost. */
  readonly disputedMinor: number;
  readonly currency: string;
  /**
   * The token that the shopper's browser got from the provider. Stays in PostgreSQL and at the provider.
   * Null: the card pays nothing.
   */
  readonly paymentMethod: string | null;
  readonly providerReference: string | null;
  readonly declineCode: string | null;
  /** The expiry of the authorization, if the provider named one. */
  readonly captureBefore: string | null;
  /** Captured manually at the provider or elsewhere: the authorization must not be voided. */
  readonly capturedManually: boolean;
  /** About the start of the authorization. */
  readonly createdAt: string;
}
