/**
 * The terms that an order is searched by, each found by its beginning. Case, accents and repeated spaces
 * make no difference. Pure.
 */
import { headOf } from './text.ts';

/** An index cannot hold longer texts than some 2,700 bytes. */
const MAX_TERM = 100;
/** Of a name; one with more words is found by these. */
const MAX_WORDS = 8;
/** Before the digits of a telephone number, so that they are not taken for a name. No text of a person has it. */
const PHONE = '\u0001';
const PHONE_NUMBER = /^[+0-9 ()./-]+$/;
/** Fewer digits would end the numbers of too many. */
const MIN_DIGITS = 4;

/** Of a customer: the e-mail, the name from each of its words on, the telephone number from its end. */
export function customerTerms(customer: {
  readonly email: string;
  readonly name: string;
  readonly phone: string | null;
}): readonly string[] {
  const words = plain(customer.name).split(' ');
  const names = words.slice(0, MAX_WORDS).map((_, at) => words.slice(at).join(' '));
  const phones = customer.phone === null ? [] : [fromEnd(digitsOf(customer.phone))];
  return distinct([plain(customer.email), ...names, ...phones]);
}

/** Of a tracking number, without spaces. */
export function trackingTerm(trackingNumber: string): string {
  return headOf(compact(trackingNumber), MAX_TERM);
}

/** What the terms begin with that `query` may mean; none when nothing in it can be searched for. */
export function searchedTerms(query: string): readonly string[] {
  const digits = PHONE_NUMBER.test(query) ? digitsOf(query) : '';
  // Zeros in front can be dialled without being part of the number.
  const phones = [digits, digits.replace(/^0+/, '')].filter(({ length }) => length >= MIN_DIGITS);
  return distinct([plain(query), compact(query), ...phones.map(fromEnd)]);
}

/**
 * The accents of letters, and the points of Hebrew and Arabic, which few people write. No other combining
 * marks: in many scripts a vowel is one. As JavaScript and PostgreSQL both read it in a regular expression.
 */
export const ACCENTS = String.raw`[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u0670]`;
const EACH_ACCENT = new RegExp(ACCENTS, 'g');

/** In lower case, without accents, with single spaces. */
export function plain(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(EACH_ACCENT, '')
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function compact(text: string): string {
  return plain(text).replaceAll(' ', '');
}

function digitsOf(text: string): string {
  return text.replaceAll(/\D/g, '');
}

/** People leave out the beginning of a telephone number. */
function fromEnd(digits: string): string {
  return `${PHONE}${digits.split('').toReversed().join('')}`;
}

function distinct(terms: readonly string[]): readonly string[] {
  const cut = terms.map((term) => headOf(term, MAX_TERM));
  return [...new Set(cut)].filter((term) => term !== '');
}
