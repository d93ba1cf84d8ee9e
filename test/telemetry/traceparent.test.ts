import { describe, expect, test } from 'vitest';
import { readTraceparent, traceIdOf, withParent } from '../../telemetry/traceparent.ts';

const TRACE = 'a'.repeat(32);
const PARENT = 'b'.repeat(16);
const HEADER = `00-${TRACE}-${PARENT}-01`;

describe('a traceparent', () => {
  test('a valid traceparent is accepted unchanged', () => {
    expect(readTraceparent(HEADER)).toBe(HEADER);
    expect(traceIdOf(HEADER)).toBe(TRACE);
  });

  test('a traceparent of a later version is reduced to version 00', () => {
    expect(readTraceparent(`cc-${TRACE}-${PARENT}-03-what-comes`)).toBe(HEADER);
    expect(readTraceparent(`cc-${TRACE}-${PARENT}-02`)).toBe(`00-${TRACE}-${PARENT}-00`);
  });

  test.each([
    ['a missing header', undefined],
    ['a number', 7],
    ['an empty string', ''],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', HEADER.toUpperCase()],
    ['version ff', `ff-${TRACE}-${PARENT}-01`],
    ['version 00 with more', `${HEADER}-more`],
    ['a later version run together', `cc-${TRACE}-${PARENT}-01more`],
    ['missing flags', `00-${TRACE}-${PARENT}`],
    ['two headers', `${HEADER},${HEADER}`],
    ['a trailing line', `${HEADER}\nx: y`],
  ])('readTraceparent rejects %s as a header', (_, text) => {
    expect(readTraceparent(text)).toBeNull();
  });
});

test('withParent keeps the trace and sets the calling span as the parent', () => {
  expect(withParent(HEADER, 'c'.repeat(16))).toBe(`00-${TRACE}-${'c'.repeat(16)}-01`);
});
