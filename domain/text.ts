/**
 * What text, ids, numbers and times from outside may be: requests, callbacks, providers' answers, and
 * operators in Temporal. Everything here is pure, and the characters are listed, because the Unicode
 * tables of a later Node.js could decide a replayed workflow otherwise.
 *
 * Three kinds, each a part of the one before:
 * - storable: what PostgreSQL, JSON and Temporal keep unchanged. For values that only we read.
 * - paragraphs: storable text for people, on several lines.
 * - a line: what also fits in a mail header, a label and a log line.
 */

/** Not in one line: control characters, line separators, and bidi controls, which reorder what follows. */
const LINE_CONTROLS = '\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069';
/** The same without tab, line feed and carriage return. */
const PARAGRAPH_CONTROLS =
  '\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069';
/** White_Space and Default_Ignorable_Code_Point of Unicode 16, and two that have no glyph either. */
const BLANKS =
  '\\u0020\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200f' +
  '\\u202f\\u205f-\\u2065\\u206a-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb';
const PARAGRAPH_BLANKS = `\\t\\n\\r${BLANKS}`;
/** Only in patterns with the flag `u`, where a class holds whole code points. */
const HIGH_BLANKS = '\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}';
const HALF_SURROGATES = '\\ud800-\\udfff';

/** Blanks, then something visible, then anything but controls: linear in the length of the text. */
function visible(blanks: string, controls: string): string {
  return `^[${blanks}]*[^${blanks}${controls}][^${controls}]*$`;
}

/** A line as JSON Schema can say it: without the flag `u`, so without rules beyond U+FFFF. */
export const LINE_PATTERN = visible(BLANKS, LINE_CONTROLS);
/** Paragraphs as JSON Schema can say them. */
export const PARAGRAPHS_PATTERN = visible(PARAGRAPH_BLANKS, PARAGRAPH_CONTROLS);
/** An id that another system chose: what an HTTP header and a log line hold without quotes. */
export const ID_PATTERN = '^[\\x21-\\x7e]{1,255}$';

const LINE = new RegExp(visible(BLANKS + HIGH_BLANKS, LINE_CONTROLS + HALF_SURROGATES), 'u');
const PARAGRAPHS = new RegExp(
  visible(PARAGRAPH_BLANKS + HIGH_BLANKS, PARAGRAPH_CONTROLS + HALF_SURROGATES),
  'u',
);
const ID = new RegExp(ID_PATTERN);
/** PostgreSQL has no NUL in a text, and UTF-8 no half of a surrogate pair. */
const UNSTORABLE = new RegExp(`[\\u0000${HALF_SURROGATES}]`, 'u');
const EACH_UNSTORABLE = new RegExp(UNSTORABLE, 'gu');
const EACH_LINE_CONTROL = new RegExp(`[${LINE_CONTROLS}${HALF_SURROGATES}]+`, 'gu');
const REPLACEMENT = '\ufffd';

/** The largest number of a PostgreSQL `integer`. */
export const MAX_INTEGER = 2_147_483_647;
/** Deeper JSON is an attack: our requests have 4 levels, providers' messages about 10. */
const MAX_DEPTH = 64;

/** True when every store keeps the text unchanged. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** True for text on one line with a visible character, of at most `maxLength` characters. */
export function isLine(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && LINE.test(value) && lengthOf(value) <= maxLength;
}

/** True for text on several lines with a visible character, of at most `maxLength` characters. */
export function isParagraphs(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && PARAGRAPHS.test(value) && lengthOf(value) <= maxLength;
}

/** True for an id of another system: 1 to 255 visible ASCII characters. */
export function isForeignId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** True for a whole number from 0 that an `integer` column holds. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_INTEGER;
}

/** The length in characters, as JSON Schema counts them: an emoji is one, not two. */
export function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

/** The beginning of a text. It does not end in half of a surrogate pair. */
export function headOf(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '');
}

/** Text that must be kept whatever it holds, made storable: U+FFFD stands for each loss. */
export function toStorable(text: string): string {
  return text.replaceAll(EACH_UNSTORABLE, REPLACEMENT);
}

/**
 * Text of a machine, such as an error or a response, as one line of at most `maxLength` UTF-16 units.
 * Empty when nothing is left.
 */
export function toLine(text: string, maxLength: number): string {
  return headOf(text.replaceAll(EACH_LINE_CONTROL, ' ').trim(), maxLength);
}

/** A JSON value that must be kept whatever it holds, made storable. What is too deep becomes null. */
export function toStorableJson(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return toStorable(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((item) => toStorableJson(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [toStorable(key), toStorableJson(item, depth + 1)]),
  );
}

/**
 * The path of the first part of a JSON value that is not storable: a text, a name of a member, or
 * what is too deep. Null when all of it is.
 */
export function unstorablePath(
  value: unknown,
  path: readonly PropertyKey[] = [],
): readonly PropertyKey[] | null {
  if (typeof value === 'string') return isStorable(value) ? null : path;
  if (typeof value !== 'object' || value === null) return null;
  if (path.length >= MAX_DEPTH) return path;
  for (const [key, item] of Object.entries(value)) {
    // The name itself cannot be shown in the path of the refusal.
    if (!isStorable(key)) return path;
    const found = unstorablePath(item, [...path, key]);
    if (found !== null) return found;
  }
  return null;
}

/** RFC 3339, without leap seconds, which JavaScript and PostgreSQL read differently. */
const TIME =
  /^(\d{4}-\d\d-(\d\d))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00Z');
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * The instant of an RFC 3339 time, in UTC with milliseconds; null when it is none, or not in the years
 * 1 to 9999. PostgreSQL refuses offsets above 15:59, so a time is passed on only in UTC.
 */
export function toInstant(value: unknown): string | null {
  const match = typeof value === 'string' ? TIME.exec(value.toUpperCase()) : null;
  if (match === null) return null;
  const [text, date = '', day] = match;
  const instant = Date.parse(text);
  // 30 February is read as 1 March: the day itself, at midnight, must keep its number.
  const midnight = new Date(`${date}T00:00:00Z`);
  if (midnight.getUTCDate() !== Number(day)) return null;
  return instant >= FIRST_INSTANT && instant <= LAST_INSTANT
    ? new Date(instant).toISOString()
    : null;
}
