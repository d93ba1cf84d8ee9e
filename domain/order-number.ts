/**
 * The order number, which a customer can say on the telephone: the end of the order's id, nine characters
 * of Crockford's Base32 (https://www.crockford.com/base32.html) in groups of three. The end of an id is
 * random, so a number does not reveal how many orders there are. A unique index keeps two orders apart.
 */
import type { OrderId } from './ids.ts';

const LENGTH = 9;
const ENDING = /^[0-9a-hjkmnp-tv-z]{9}$/;

/** `M6T-2Y8-H7C` of `ord_01k9zq3v5nfa3s4w1m6t2y8h7c`. */
export function orderNumber(id: OrderId): string {
  return id
    .slice(-LENGTH)
    .toUpperCase()
    .replaceAll(/(.{3})(?=.)/g, '$1-');
}

/**
 * The end of the id that a number stands for, as people write one: in any case, with or without dashes
 * and spaces, with the letters O for 0, I and L for 1. Null when the text is no order number.
 */
export function readOrderNumber(text: string): string | null {
  const ending = text
    .toLowerCase()
    .replaceAll(/[\s-]/g, '')
    .replaceAll('o', '0')
    .replaceAll(/[il]/g, '1');
  return ENDING.test(ending) ? ending : null;
}
