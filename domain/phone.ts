/** Telephone numbers that take text messages. */
import type { Customer } from './order.ts';

/** ITU-T E.164: a country code and at most 15 digits in all. */
const E164 = /^\+[1-9]\d{6,14}$/;

/** The number in E.164; null when it is not an international one. `+49 (0)30 ...` is a common spelling. */
export function toE164(phone: string): string | null {
  const number = phone.replace('(0)', '').replaceAll(/[^+\d]/g, '');
  return E164.test(number) ? number : null;
}

/** Where the customer may be notified by SMS; null without consent, or without such a number. */
export function smsNumberOf({
  phone,
  smsConsent,
}: Pick<Customer, 'phone' | 'smsConsent'>): string | null {
  return smsConsent && phone !== null ? toE164(phone) : null;
}
