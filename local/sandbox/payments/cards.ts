/** Stripe's test payment methods and their outcomes: https://docs.stripe.com/testing */

export interface Decline {
  readonly code: string;
  readonly declineCode: string;
  readonly message: string;
}

export type CardOutcome =
  | { readonly kind: 'approved' }
  | { readonly kind: 'declined'; readonly decline: Decline }
  | { readonly kind: 'unknown' };

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
};

/** `pm_card_visa`, `pm_card_chargeDeclined`, and the declines also as `pm_card_visa_...`. */
export function outcomeOf(paymentMethod: string): CardOutcome {
  const name = paymentMethod.replace(/^pm_card_/, '');
  if (name === paymentMethod) return { kind: 'unknown' };
  if (APPROVED.includes(name)) return { kind: 'approved' };
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
