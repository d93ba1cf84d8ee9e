/** Parameters of payment calls, checked as Stripe does. A bad one is returned as a response. */
import type { ProviderResponse } from '../calls.ts';
import { invalid } from './errors.ts';
import type { Form } from './form.ts';

export interface Authorization {
  readonly amountMinor: number;
  readonly currency: string;
  readonly paymentMethod: string;
}

/** Stripe's largest amount, in minor units: https://docs.stripe.com/currencies */
const MAX_AMOUNT_MINOR = 99_999_999;
const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

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
  if (!CURRENCIES.has(currency.toUpperCase())) {
    return invalid('currency', `Invalid currency: '${currency}'.`, 'currency_not_supported');
  }
  const paymentMethod = form.text('payment_method');
  if (paymentMethod === null) {
    return invalid('payment_method', 'You must give a payment_method.', 'parameter_missing');
  }
  return { amountMinor, currency: currency.toLowerCase(), paymentMethod };
}

/** A whole, positive number of minor units; `fallback` when the parameter is missing. */
export function amountIn(form: Form, name: string, fallback?: number): number | ProviderResponse {
  const text = form.text(name);
  if (text === null) {
    return fallback ?? invalid(name, `Missing required param: ${name}.`, 'parameter_missing');
  }
  if (!/^-?\d+$/.test(text)) {
    return invalid(name, `Invalid integer: ${text}`, 'parameter_invalid_integer');
  }
  const amountMinor = Number(text);
  if (amountMinor < 1) {
    return invalid(name, 'This value must be greater than or equal to 1.', 'amount_too_small');
  }
  if (amountMinor > MAX_AMOUNT_MINOR) {
    return invalid(name, `Amount must be no more than ${MAX_AMOUNT_MINOR}.`, 'amount_too_large');
  }
  return amountMinor;
}
