/** Parameters of payment calls, checked as Stripe does. A bad one is returned as a response. */
import { decimalsOf } from '../../../domain/iso-4217.ts';
import type { Money } from '../../../domain/money.ts';
import type { ProviderResponse } from '../calls.ts';
import { invalid } from './errors.ts';
import type { Form } from './form.ts';

export interface Authorization {
  readonly amountMinor: number;
  readonly currency: string;
  readonly paymentMethod: string;
}

/** Of ISO 4217, what Stripe cannot charge a card in. All rules: https://docs.stripe.com/currencies */
const NOT_CHARGEABLE: ReadonlySet<string> = new Set(
  'BTN CUP ERN GHS IQD IRR KPW LYD MRU SDG SSP STN SVC SYP TMT VED VES XAD ZWG'.split(' '),
);
/** In Stripe's own units, which for these are not ISO 4217's or have to end in zeros. */
const DIVISORS: ReadonlyMap<string, number> = new Map([
  ['ISK', 100],
  ['UGX', 100],
  ...['BHD', 'JOD', 'KWD', 'OMR', 'TND'].map((code) => [code, 10] as const),
]);
/** Without decimals at Stripe, with two in ISO 4217. */
const WHOLE: ReadonlySet<string> = new Set(['MGA']);
/** The minimums that are not 0.50. */
const MINIMUMS: ReadonlyMap<string, number> = new Map([
  ['AED', 200],
  ['CZK', 1_500],
  ['DKK', 250],
  ['GBP', 30],
  ['HKD', 400],
  ['HUF', 17_500],
  ['MXN', 1_000],
  ['MYR', 200],
  ['NOK', 300],
  ['PLN', 200],
  ['RON', 200],
  ['SEK', 300],
  ['THB', 1_000],
]);
const HALF: ReadonlySet<string> = new Set(
  'ARS AUD BRL CAD CHF COP EUR IDR ILS INR JPY KRW NZD PHP RUB SGD USD ZAR'.split(' '),
);
/** Digits of the largest amount, other than eight. */
const DIGITS: ReadonlyMap<string, number> = new Map([
  ['COP', 10],
  ['HUF', 10],
  ['IDR', 12],
  ['INR', 9],
  ['JPY', 10],
  ['LBP', 11],
]);

/** An amount of a charge for people, in the minor units of ISO 4217. */
export function toMoney(amount: number, currency: string): Money {
  if (WHOLE.has(currency)) return { amountMinor: amount * 100, currency };
  const isHundredths = decimalsOf(currency) === 0 && DIVISORS.has(currency);
  return { amountMinor: isHundredths ? Math.floor(amount / 100) : amount, currency };
}

/** The parameters of a PaymentIntent that is confirmed in one call and captured later. */
export function authorizationIn(form: Form): Authorization | ProviderResponse {
  if (form.text('capture_method') !== 'manual') {
    return invalid('capture_method', 'The sandbox supports only capture_method=manual.');
  }
  if (form.text('confirm') !== 'true') {
    return invalid('confirm', 'The sandbox supports only confirm=true.');
  }
  const amountMinor = amountIn(form, 'amount');
  if (typeof amountMinor !== 'number') return amountMinor;
  const currency = form.text('currency') ?? '';
  const unfit = unfitCharge(amountMinor, currency.toUpperCase());
  if (unfit !== null) return unfit;
  const paymentMethod = form.text('payment_method');
  if (paymentMethod === null) {
    return invalid('payment_method', 'You must give a payment_method.', 'parameter_missing');
  }
  return { amountMinor, currency: currency.toLowerCase(), paymentMethod };
}

function unfitCharge(amount: number, currency: string): ProviderResponse | null {
  if (decimalsOf(currency) === undefined || NOT_CHARGEABLE.has(currency)) {
    return invalid('currency', `Invalid currency: '${currency}'.`, 'currency_not_supported');
  }
  const least = MINIMUMS.get(currency) ?? (HALF.has(currency) ? 50 : 1);
  if (amount < least) {
    return invalid('amount', `Amount must be at least ${least}.`, 'amount_too_small');
  }
  if (String(amount).length > (DIGITS.get(currency) ?? 8)) {
    return invalid('amount', 'Amount has too many digits.', 'amount_too_large');
  }
  return unfitAmount(amount, { name: 'amount', currency });
}

function unfitAmount(
  amount: number,
  { name, currency }: { readonly name: string; readonly currency: string },
): ProviderResponse | null {
  const divisor = DIVISORS.get(currency) ?? 1;
  if (amount % divisor === 0) return null;
  return invalid(name, `Amounts in ${currency} must be divisible by ${divisor}.`);
}

/** A part of a charge, to capture or to refund; `whole` when the parameter is missing. */
export function partIn(
  form: Form,
  name: string,
  charge: { readonly whole: number; readonly currency: string },
): number | ProviderResponse {
  if (form.text(name) === null) return charge.whole;
  const amount = amountIn(form, name);
  if (typeof amount !== 'number') return amount;
  return unfitAmount(amount, { name, currency: charge.currency.toUpperCase() }) ?? amount;
}

/** A whole, positive number of Stripe's units. */
function amountIn(form: Form, name: string): number | ProviderResponse {
  const text = form.text(name);
  if (text === null) return invalid(name, `Missing required param: ${name}.`, 'parameter_missing');
  if (!/^-?\d+$/.test(text)) {
    return invalid(name, `Invalid integer: ${text}`, 'parameter_invalid_integer');
  }
  const amountMinor = Number(text);
  if (amountMinor < 1) {
    return invalid(name, 'This value must be greater than or equal to 1.', 'amount_too_small');
  }
  return amountMinor;
}
