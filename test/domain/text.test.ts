import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  headOf,
  isForeignId,
  isLine,
  isParagraphs,
  isStorable,
  lengthOf,
  LINE_PATTERN,
  PARAGRAPHS_PATTERN,
  toInstant,
  toLine,
  toStorable,
  toStorableJson,
  unstorablePath,
} from '../../domain/text.ts';

/** Any UTF-16, with halves of surrogate pairs and control characters far more often than by chance. */
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\0', '\ud800', '\udfff', '\u200b', '\u202e', '\u2028', '\n', ' ', '\u{e0041}'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});
const MAX = 200;

describe('a line', () => {
  test.each([
    ['José'],
    ['李小龍'],
    ['محمد \u200fعلي'],
    ['O’Brien-Smith, 3rd'],
    ['क्\u200dष'],
    ['😀'],
    ['x'.repeat(MAX)],
    ['😀'.repeat(MAX)],
  ])('%s is a line', (text) => expect(isLine(text, MAX)).toBe(true));

  test.each([
    ['', 'nothing'],
    [' \u00a0\u3000', 'spaces'],
    ['\u200b\u200d\ufeff', 'zero-width characters'],
    ['\u202a\u202c', 'bidi embeddings'],
    ['\u2066\u2069', 'bidi isolates'],
    ['\u200e\u200f\u061c', 'bidi marks'],
    ['\u3164\u115f\uffa0', 'Hangul fillers'],
    ['\u2800', 'the braille blank'],
    ['\u{e0041}\u{e007f}', 'tags'],
    ['a\u202eb', 'an override'],
    ['a\nb', 'a line break'],
    ['a\u2028b', 'a line separator'],
    ['a\u0085b', 'a C1 control character'],
    ['a\0', 'NUL'],
    ['a\ud800', 'half of a surrogate pair'],
    ['x'.repeat(MAX + 1), 'too many characters'],
  ])('%j is no line: %s', (text) => expect(isLine(text, MAX)).toBe(false));

  test('whatever is a line is storable, has a visible character, and matches the pattern of the API reference', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        if (!isLine(text, MAX)) return;
        expect(isStorable(text)).toBe(true);
        expect(text.trim()).not.toBe('');
        expect(text).toMatch(new RegExp(LINE_PATTERN));
        expect(isParagraphs(text, MAX)).toBe(true);
      }),
    );
  });

  test('the patterns are those of JSON Schema and decide in linear time', () => {
    for (const pattern of [LINE_PATTERN, PARAGRAPHS_PATTERN]) {
      const compiled = new RegExp(pattern);
      expect(compiled.flags).toBe('');
      for (const blank of ['\u200b', ' ', 'x']) {
        expect(compiled.test(`${blank.repeat(1_000_000)}\0`)).toBe(false);
      }
    }
  });

  test('what a machine says becomes one line without controls, or nothing', () => {
    fc.assert(
      fc.property(hostile, fc.nat({ max: 50 }), (text, max) => {
        const line = toLine(text, max);
        expect(line.length).toBeLessThanOrEqual(max);
        expect(isStorable(line)).toBe(true);
        if (/[^\s\p{Default_Ignorable_Code_Point}\u2800\ufff0-\ufffb]/u.test(line))
          expect(isLine(line, MAX)).toBe(true);
      }),
    );
  });
});

describe('storable text', () => {
  test('text made storable is storable, and what was storable is unchanged', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const kept = toStorable(text);
        expect(isStorable(kept)).toBe(true);
        expect(Buffer.from(kept).toString('utf8')).toBe(kept);
        if (isStorable(text)) expect(kept).toBe(text);
        expect(lengthOf(kept)).toBe(lengthOf(text));
      }),
    );
  });

  test('the beginning of a storable text is storable', () => {
    fc.assert(
      fc.property(hostile, fc.nat({ max: 20 }), (text, length) => {
        expect(isStorable(headOf(toStorable(text), length))).toBe(true);
      }),
    );
  });

  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      hostile,
      fc.double(),
      fc.constantFrom(null, true),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(hostile, tie('value'), { maxKeys: 3 }),
    ),
  })).value;

  test('JSON made storable has no part that is not, and storable JSON is unchanged', () => {
    fc.assert(
      fc.property(json, (value) => {
        const kept = toStorableJson(value);
        expect(unstorablePath(kept)).toBeNull();
        if (unstorablePath(value) === null) expect(kept).toEqual(value);
      }),
    );
  });

  test('the place of what cannot be stored is named, also below a name that cannot', () => {
    expect(unstorablePath({ a: [{ b: 'x' }, { b: '\0' }] })).toEqual(['a', '1', 'b']);
    expect(unstorablePath({ a: { '\ud800': 1 } })).toEqual(['a']);
  });

  test('JSON nested 100,000 deep is refused and cut, not a stack overflow', () => {
    const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    expect(unstorablePath(deep)).toHaveLength(64);
    expect(unstorablePath(toStorableJson(deep))).toBeNull();
  });

  test('an id of another system has 1 to 255 visible ASCII characters', () => {
    for (const id of ['pi_1', 'x'.repeat(255), '!~']) expect(isForeignId(id)).toBe(true);
    for (const id of ['', 'x'.repeat(256), 'a b', 'é', 'a\0', 7])
      expect(isForeignId(id)).toBe(false);
  });
});

describe('a time', () => {
  test.each([
    ['2000-01-01T00:00:00+20:02', '1999-12-31T03:58:00.000Z'],
    ['2000-01-01T00:00:00-23:59', '2000-01-01T23:59:00.000Z'],
    ['2024-02-29T12:00:00.123456789Z', '2024-02-29T12:00:00.123Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['2000-01-01t00:00:00z', '2000-01-01T00:00:00.000Z'],
  ])('%s is passed on as %s', (text, instant) => expect(toInstant(text)).toBe(instant));

  test.each([
    '2000-02-30T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2000-13-01T00:00:00Z',
    '2000-01-01T24:00:00Z',
    '2000-01-01T23:59:60Z',
    '2000-01-01T00:00:00+24:00',
    '0000-12-31T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '2000-01-01T00:00:00',
    '2000-01-01',
    '2000-01-01T00:00:00Z\0',
    '',
    7,
    null,
  ])('%j is no time', (text) => expect(toInstant(text)).toBeNull());

  test('a written time with any offset is the same instant in UTC', () => {
    const range = { noInvalidDate: true, min: new Date('0002-01-01'), max: new Date('9998-01-01') };
    const offset = fc.tuple(fc.constantFrom('+', '-'), fc.nat({ max: 23 }), fc.nat({ max: 59 }));
    const pad = (part: number) => String(part).padStart(2, '0');
    fc.assert(
      fc.property(fc.date(range), offset, (date, [sign, hours, minutes]) => {
        const written = `${date.toISOString().slice(0, -1)}${sign}${pad(hours)}:${pad(minutes)}`;
        const shiftMs = (hours * 60 + minutes) * 60_000 * (sign === '+' ? -1 : 1);
        expect(toInstant(written)).toBe(new Date(date.getTime() + shiftMs).toISOString());
      }),
    );
  });
});
