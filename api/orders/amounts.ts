/** Refuses amounts that the payment provider would, before anything is held or stored. */
import { formatMoney, type AmountLimits, type Money } from '../../domain/money.ts';
import type { FieldError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';

/** For a body with a `currency` in which no card can be charged. */
export function notChargeable(currency: string): FieldError {
  return { detail: notChargeableIn(currency), pointer: jsonPointer(['currency']) };
}

function notChargeableIn(currency: string): string {
  return `No card can be charged in ${currency}.`;
}

/** Why no order of one product could be charged its price; null when it can. `limits`: of the currency. */
export function priceProblem(
  limits: AmountLimits | null,
  price: Money,
): { readonly field: 'currency' | 'price_minor'; readonly detail: string } | null {
  if (limits === null) return { field: 'currency', detail: notChargeableIn(price.currency) };
  const most = formatMoney({ ...price, amountMinor: limits.maxMinor });
  const detail =
    price.amountMinor > limits.maxMinor
      ? `A card can be charged at most ${most}.`
      : offStep(price, limits);
  return detail === null ? null : { field: 'price_minor', detail };
}

/** Why an amount, such as a total, cannot be charged, in words; null when it can. */
export function outsideLimits(
  amount: Money,
  limits: AmountLimits,
  name = 'The total',
): string | null {
  const { amountMinor, currency } = amount;
  const money = (minor: number): string => formatMoney({ amountMinor: minor, currency });
  const { minMinor, maxMinor } = limits;
  if (amountMinor < minMinor || amountMinor > maxMinor) {
    return `${name} is ${money(amountMinor)}; it must be from ${money(minMinor)} to ${money(maxMinor)}.`;
  }
  return offStep(amount, limits);
}

/** Why a part of a payment, a price or a refund, cannot be charged, in words; null when it can. */
export function offStep({ amountMinor, currency }: Money, limits: AmountLimits): string | null {
  const { stepMinor } = limits;
  if (amountMinor % stepMinor === 0) return null;
  return `Amounts of ${currency} must be multiples of ${stepMinor} minor units.`;
}
