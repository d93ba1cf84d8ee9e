/**
 * Money in Stripe's units. They are ISO 4217 minor units, except where a currency has other decimals
 * there: unconverted, ISK would be charged a hundredth, and MGA a hundredfold.
 */
import { decimalsOf } from '../../domain/iso-4217.ts';
import type { AmountLimits, Money } from '../../domain/money.ts';
import { MAX_INTEGER } from '../../domain/text.ts';
import {
  CHARGEABLE,
  stripeDecimals,
  stripeMaximum,
  stripeMinimum,
  stripeStep,
} from './currencies.ts';

/** Stripe's integer for an amount. Throws RangeError when it has none: see `limitsOf`. */
export function toStripeAmount({ amountMinor, currency }: Money): number {
  const amount = shift(amountMinor, extraDecimals(currency));
  const isCountable = Number.isSafeInteger(amount) && amount % stripeStep(currency) === 0;
  if (!isCountable) throw new RangeError(`no amount of ${currency} at Stripe`);
  return amount;
}

/** ISO 4217 minor units of Stripe's integer, rounded down. */
export function fromStripeAmount(amount: number, currency: string): number {
  return Math.floor(shift(amount, -extraDecimals(currency.toUpperCase())));
}

/** What can be charged, in ISO 4217 minor units; null when no card can be charged in the currency. */
export function limitsOf(currency: string): AmountLimits | null {
  if (!CHARGEABLE.has(currency)) return null;
  const ours = (amount: number): number => shift(amount, -extraDecimals(currency));
  const stepMinor = Math.max(1, ours(stripeStep(currency)));
  const least = Math.ceil(ours(stripeMinimum(currency)) / stepMinor);
  const most = Math.floor(Math.min(ours(stripeMaximum(currency)), MAX_INTEGER) / stepMinor);
  return { minMinor: least * stepMinor, maxMinor: most * stepMinor, stepMinor };
}

/** How many decimals more than ISO 4217 Stripe has: 2 for ISK and UGX, -2 for MGA, else 0. */
function extraDecimals(currency: string): number {
  const decimals = stripeDecimals(currency);
  return decimals - (decimalsOf(currency) ?? decimals);
}

/** Divides by a whole power of ten instead of multiplying by a fraction, which is not exact. */
function shift(amount: number, decimals: number): number {
  return decimals < 0 ? amount / 10 ** -decimals : amount * 10 ** decimals;
}
