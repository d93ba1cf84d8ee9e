/** Money as integer minor units with an ISO 4217 code. No floats, no silent overflow. */
import { decimalsOf } from './iso-4217.ts';
import type { Language } from './language.ts';

export interface Money {
  readonly amountMinor: number;
  readonly currency: string;
}

/** Sums `unit x quantity` over lines. Throws RangeError beyond the safe integer range. */
export function sumMinor(
  lines: readonly { readonly unitPriceMinor: number; readonly quantity: number }[],
): number {
  const total = lines.reduce((sum, line) => sum + line.unitPriceMinor * line.quantity, 0);
  if (!Number.isSafeInteger(total)) throw new RangeError('amount is beyond the safe integer range');
  return total;
}

/** What a payment provider charges in one currency, in minor units. */
export interface AmountLimits {
  readonly minMinor: number;
  readonly maxMinor: number;
  /** Every amount is a multiple of it. */
  readonly stepMinor: number;
}

/**
 * Formats money for people, with the ISO 4217 number of decimals of the currency. The runtime adds
 * only the symbol and the signs of the language: its own decimals are for display. A code that is no
 * currency is written beside the minor units.
 */
export function formatMoney({ amountMinor, currency }: Money, language: Language = 'en'): string {
  const decimals = decimalsOf(currency);
  if (decimals === undefined) return `${amountMinor} minor units of ${currency}`;
  return formatOf(language, currency, decimals).format(fromMinor(amountMinor, currency));
}

/** One per language and currency of ISO 4217, fewer than 200 each: making one costs more than using it. */
const formats = new Map<string, Intl.NumberFormat>();

function formatOf(language: Language, currency: string, decimals: number): Intl.NumberFormat {
  const key = `${language} ${currency}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const format = new Intl.NumberFormat(language, { style: 'currency', currency, ...digits });
  formats.set(key, format);
  return format;
}

/**
 * Minor units as a plain decimal, e.g. `12.50`: what `toMinor` reads. By digits, because a quotient is
 * not exact for large amounts. Throws RangeError for what is no safe integer.
 */
export function fromMinor(amountMinor: number, currency: string): `${number}` {
  const decimals = decimalsOf(currency) ?? 0;
  const digits = String(Math.abs(amountMinor)).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  const fraction = decimals === 0 ? '' : `.${digits.slice(point)}`;
  const text = `${amountMinor < 0 ? '-' : ''}${digits.slice(0, point)}${fraction}`;
  if (Number.isSafeInteger(amountMinor) && isNumeral(text)) return text;
  throw new RangeError(`${amountMinor} is no amount in minor units`);
}

function isNumeral(text: string): text is `${number}` {
  return Number.isFinite(Number(text));
}

/** A plain decimal in minor units; null for what is no amount of the currency. */
export function toMinor(text: string, currency: string): number | null {
  const decimals = decimalsOf(currency);
  const [, whole = '', fraction = ''] = /^(\d{1,16})(?:[.,](\d+))?$/.exec(text) ?? [];
  if (decimals === undefined || whole === '' || fraction.length > decimals) return null;
  const minor = Number(whole + fraction.padEnd(decimals, '0'));
  return Number.isSafeInteger(minor) ? minor : null;
}
