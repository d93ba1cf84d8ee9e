/**
 * Money in Stripe's units: ISO 4217 minor units, except for two currencies that lost their decimals
 * in ISO and kept them at Stripe. Unconverted, a hundredth would be charged.
 * https://docs.stripe.com/currencies#special-cases
 */
import type { Money } from '../../domain/money.ts';

/** Stripe's integer for an amount. */
export function toStripeAmount({ amountMinor, currency }: Money): number {
  return amountMinor * factorOf(currency);
}

/** ISO 4217 minor units of Stripe's integer, rounded down. */
export function fromStripeAmount(amount: number, currency: string): number {
  return Math.floor(amount / factorOf(currency));
}

const KEPT_DECIMALS: readonly string[] = ['ISK', 'UGX'];

function factorOf(currency: string): number {
  return KEPT_DECIMALS.includes(currency.toUpperCase()) ? 100 : 1;
}
