/** Refuses amounts that the payment provider would, before anything is held or stored. */
import { formatMoney, type AmountLimits, type Money } from '../../domain/money.ts';
import type { FieldError } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';

/** For a body with a `currency` in which no card can be charged. */
export function notChargeable(currency: string): FieldError {
  const detail = `No card can be charged in ${currency}.`;
  return { detail, pointer: jsonPointer(['currency']) };
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
