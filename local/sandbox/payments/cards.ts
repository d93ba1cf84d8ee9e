/** Stripe's test payment methods and their outcomes: https://docs.stripe.com/testing */

export interface Decline {
  readonly code: string;
  /** Null when the card's bank was not asked for the money. */
  readonly declineCode: string | null;
  readonly message: string;
}

export type CardOutcome =
  | { readonly kind: 'approved' }
  | { readonly kind: 'declined'; readonly decline: Decline }
  /** The shopper has to authenticate first; `refusal` is what follows, null: the approval. */
  | { readonly kind: 'challenge'; readonly refusal: Decline | null }
  | { readonly kind: 'unknown' };
/** What a test card brings besides its charge: https://docs.stripe.com/testing#disputes */
export type Trouble =
  | { readonly kind: 'dispute'; readonly reason: string; readonly isInquiry: boolean }
  | { readonly kind: 'warning' }
  | { readonly kind: 'review' };

const TROUBLES: Readonly<Record<string, Trouble>> = {
  createDispute: { kind: 'dispute', reason: 'fraudulent', isInquiry: false },
  createDisputeProductNotReceived: {
    kind: 'dispute',
    reason: 'product_not_received',
    isInquiry: false,
  },
  createDisputeInquiry: { kind: 'dispute', reason: 'fraudulent', isInquiry: true },
  createIssuerFraudRecord: { kind: 'warning' },
  riskLevelElevated: { kind: 'review' },
};

/** Undefined for most. */
export function troubleOf(paymentMethod: string): Trouble | undefined {
  const name = paymentMethod.replace(/^pm_card_/, '');
  return Object.hasOwn(TROUBLES, name) ? TROUBLES[name] : undefined;
}

export const REFUND_STATUSES = [
  'pending',
  'requires_action',
  'succeeded',
  'failed',
  'canceled',
] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** How refunds to a card begin, and what they become some time later; null: nothing else. */
export interface RefundCourse {
  readonly begins: RefundStatus;
  readonly becomes: RefundStatus | null;
}

/** https://docs.stripe.com/testing#refunds */
const REFUNDS: Readonly<Record<string, RefundCourse>> = {
  pendingRefund: { begins: 'pending', becomes: 'succeeded' },
  refundFail: { begins: 'succeeded', becomes: 'failed' },
};

export function refundCourseOf(paymentMethod: string): RefundCourse {
  const name = paymentMethod.replace(/^pm_card_/, '');
  const course = Object.hasOwn(REFUNDS, name) ? REFUNDS[name] : undefined;
  return course ?? { begins: 'succeeded', becomes: null };
}

const APPROVED: readonly string[] = [
  'visa',
  'visa_debit',
  'mastercard',
  'mastercard_debit',
  'mastercard_prepaid',
  'amex',
  'discover',
  'diners',
  'jcb',
  'unionpay',
  'us',
  'de',
  'fr',
  'gb',
  // Authentication is possible, but not asked for.
  'threeDSecureOptional',
  'threeDSecureOptionalProcessingError',
  'amex_threeDSecureNotSupported',
  ...Object.keys(TROUBLES),
  ...Object.keys(REFUNDS),
];

export const GENERIC_DECLINE: Decline = declined('generic_decline');

const DECLINED: Readonly<Record<string, Decline>> = {
  chargeDeclined: GENERIC_DECLINE,
  chargeDeclinedInsufficientFunds: declined('insufficient_funds', 'has insufficient funds'),
  chargeDeclinedLostCard: declined('lost_card'),
  chargeDeclinedStolenCard: declined('stolen_card'),
  chargeDeclinedVelocityLimitExceeded: declined('card_velocity_exceeded', 'is over its limit'),
  chargeDeclinedFraudulent: declined('fraudulent'),
  radarBlock: declined('fraudulent'),
  chargeDeclinedExpiredCard: coded('expired_card', 'Your card has expired.'),
  chargeDeclinedIncorrectCvc: coded('incorrect_cvc', "Your card's security code is incorrect."),
  chargeDeclinedProcessingError: coded(
    'processing_error',
    'An error occurred while processing your card. Try again in a little bit.',
  ),
  // The lookup for 3-D Secure fails, so the shopper is never asked.
  threeDSecureRequiredProcessingError: GENERIC_DECLINE,
};

/** What follows a successful authentication: https://docs.stripe.com/testing#regulatory-cards */
const CHALLENGED: Readonly<Record<string, Decline | null>> = {
  threeDSecureRequired: null,
  threeDSecure2Required: null,
  threeDSecureRequiredChargeDeclined: GENERIC_DECLINE,
  authenticationRequired: null,
  authenticationRequiredOnSetup: null,
  authenticationRequiredSetupForOffSession: null,
  authenticationRequiredChargeDeclinedInsufficientFunds: declined(
    'insufficient_funds',
    'has insufficient funds',
  ),
};

/** The shopper failed or refused to authenticate: https://docs.stripe.com/error-codes */
export const AUTHENTICATION_FAILURE: Decline = {
  code: 'payment_intent_authentication_failure',
  declineCode: null,
  message: 'The provided payment method has failed authentication.',
};

/** `pm_card_visa`, `pm_card_chargeDeclined`, and the declines also as `pm_card_visa_...`. */
export function outcomeOf(paymentMethod: string): CardOutcome {
  const name = paymentMethod.replace(/^pm_card_/, '');
  if (name === paymentMethod) return { kind: 'unknown' };
  if (APPROVED.includes(name)) return { kind: 'approved' };
  const refusal = Object.hasOwn(CHALLENGED, name) ? CHALLENGED[name] : undefined;
  if (refusal !== undefined) return { kind: 'challenge', refusal };
  const reason = name.replace(/^visa_/, '');
  const decline = Object.hasOwn(DECLINED, reason) ? DECLINED[reason] : undefined;
  return decline === undefined ? { kind: 'unknown' } : { kind: 'declined', decline };
}

function declined(declineCode: string, why = 'was declined'): Decline {
  return { code: 'card_declined', declineCode, message: `Your card ${why}.` };
}

/** A decline whose error code equals its decline code. */
function coded(code: string, message: string): Decline {
  return { code, declineCode: code, message };
}
