/** Refuses amounts that the payment provider would, before anything is held or stored. */
import { formatMoney, type AmountLimits, type Money } from '../../domain/money.ts';
import type { Price } from '../../domain/product.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import type { FieldError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';

/** For a body with a `currency` in which no card can be charged. */
export function notChargeable(currency: string): FieldError {
  return { detail: notChargeableIn(currency), pointer: jsonPointer(['currency']) };
}

function notChargeableIn(currency: string): string {
  return `No card can be charged in ${currency}.`;
}

interface PriceProblem {
  readonly field: 'currency' | 'price_minor';
  readonly detail: string;
}

/**
 * What is wrong with the prices of a product: no order of it could be charged the price, or there is
 * another in its currency. `at`: the place of the price in the list.
 */
export function priceProblems(
  { limitsOf }: Pick<PaymentGateway, 'limitsOf'>,
  prices: readonly Price[],
): readonly (PriceProblem & { readonly at: number })[] {
  return prices.flatMap(({ currency, priceMinor }, at) => {
    if (prices.findIndex((price) => price.currency === currency) < at) {
      return [
        { at, field: 'currency' as const, detail: `There is a price in ${currency} already.` },
      ];
    }
    const problem = priceProblem(limitsOf(currency), { amountMinor: priceMinor, currency });
    return problem === null ? [] : [{ at, ...problem }];
  });
}

function priceProblem(limits: AmountLimits | null, price: Money): PriceProblem | null {
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
