import { describe, expect, test } from 'vitest';
import { readTraceparent, traceIdOf, withParent } from '../../domain/trace.ts';

const TRACE = 'a'.repeat(32);
const PARENT = 'b'.repeat(16);
const HEADER = `00-${TRACE}-${PARENT}-01`;

describe('a traceparent', () => {
  test('is taken as it is', () => {
    expect(readTraceparent(HEADER)).toBe(HEADER);
    expect(traceIdOf(HEADER)).toBe(TRACE);
  });

  test('of a later version is taken for what version 00 knows of it', () => {
    expect(readTraceparent(`cc-${TRACE}-${PARENT}-03-what-comes`)).toBe(HEADER);
    expect(readTraceparent(`cc-${TRACE}-${PARENT}-02`)).toBe(`00-${TRACE}-${PARENT}-00`);
  });

  test.each([
    ['nothing', undefined],
    ['no text', 7],
    ['empty', ''],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', HEADER.toUpperCase()],
    ['version ff', `ff-${TRACE}-${PARENT}-01`],
    ['version 00 with more', `${HEADER}-more`],
    ['a later version run together', `cc-${TRACE}-${PARENT}-01more`],
    ['without flags', `00-${TRACE}-${PARENT}`],
    ['two of them', `${HEADER},${HEADER}`],
    ['with a line after it', `${HEADER}\nx: y`],
  ])('is none: %s', (_, text) => {
    expect(readTraceparent(text)).toBeNull();
  });
});

test('who is called is told the same trace and the span that calls', () => {
  expect(withParent(HEADER, 'c'.repeat(16))).toBe(`00-${TRACE}-${'c'.repeat(16)}-01`);
});
