import { describe, expect, test } from 'vitest';
import { preferredType } from '../../../api/http/accept.ts';
import { failedPrecondition } from '../../../api/http/etag.ts';
import { prefersInspectable, waitPreference } from '../../../api/http/prefer.ts';

describe('fields of a request', () => {
  test.each([
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['text/event-stream', 'text/event-stream'],
    ['TEXT/Event-Stream; charset=utf-8', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
    ['text/*;q=0.1, application/*;q=0.2', 'application/json'],
    ['text/event-stream, */*', 'text/event-stream'],
    ['application/json, text/event-stream', 'application/json'],
    ['text/event-stream;q=0.1, */*;q=0.9', 'application/json'],
    ['text/event-stream;q=0.000', 'application/json'],
    ['*/*;q=0', 'application/json'],
    ['text/event-stream;q=2', 'text/event-stream'],
    [', ,text/event-stream,', 'text/event-stream'],
    ['x;a="text/event-stream, y";q=1', 'application/json'],
  ])('Accept: %s prefers %s', (accept, type) => {
    expect(preferredType(accept, ['application/json', 'text/event-stream'])).toBe(type);
  });

  test.each([
    [undefined, null],
    ['wait=5', 5],
    ['WAIT = 5', 5],
    ['wait="5"', 5],
    ['respond-async, wait=10; x=y', 10],
    ['foo; wait=5', null],
    ['foo="a, wait=5"', null],
    ['wait=5, wait=6', 5],
    ['wait=x, wait=6', null],
    ['wait', null],
    ['wait=-1', null],
    ['wait=1.5', null],
    ['wait=99999', 30],
    ['foo="a, wait=5', 5],
    ['wait=5; x="a=b"', 5],
  ])('Prefer: %s waits %s seconds', (prefer, seconds) => {
    expect(waitPreference(prefer)).toBe(seconds);
  });

  test.each([
    ['names', 'x'],
    ['spaces', ' '],
    ['strings without an end', '"\\'],
    ['parameters', 'x;'],
    ['commas', ','],
  ])('a field with many %s prefers what the short one prefers, up to 1 kB', (_, filler) => {
    const long = filler.repeat(10_000);
    expect(waitPreference(`wait=5, ${long}`)).toBe(5);
    expect(preferredType(`b, ${long}`, ['a', 'b'])).toBe('b');
    expect(waitPreference(`${long}, wait=5`)).toBeNull();
    expect(waitPreference(`x${' '.repeat(1_015)}, wait=50`)).toBeNull();
  });

  test.each([
    [undefined, false],
    ['inspectable', true],
    ['wait=5, INSPECTABLE; x=y', true],
    ['inspectable=""', true],
    ['inspectable=no', false],
    ['foo="a, inspectable"', false],
    ['inspectables', false],
  ])('Prefer: %s makes an order inspectable: %s', (prefer, isInspectable) => {
    expect(prefersInspectable(prefer)).toBe(isInspectable);
  });

  test.each([
    [{ ifMatch: '"a"' }, '"a"', null],
    [{ ifMatch: '"b", "a"' }, '"a"', null],
    [{ ifMatch: '"a,b"' }, '"a,b"', null],
    [{ ifMatch: '"x, \\"a"' }, '"a"', 'if-match'],
    [{ ifMatch: 'W/"a"' }, '"a"', 'if-match'],
    [{ ifMatch: 'a' }, '"a"', 'if-match'],
    [{ ifMatch: '' }, '"a"', 'if-match'],
    [{ ifMatch: '*' }, '', null],
    [{ ifMatch: '*' }, null, 'if-match'],
    [{ ifMatch: '"a"' }, null, 'if-match'],
    [{ ifNoneMatch: '"a"' }, '"a"', 'if-none-match'],
    [{ ifNoneMatch: 'W/"a"' }, '"a"', 'if-none-match'],
    [{ ifNoneMatch: '"b"' }, '"a"', null],
    [{ ifNoneMatch: '*' }, '', 'if-none-match'],
    [{ ifNoneMatch: '*' }, null, null],
    [{ ifMatch: '"b"', ifNoneMatch: '"a"' }, '"a"', 'if-match'],
    [{ ifMatch: '"a"', ifNoneMatch: '"a"' }, '"a"', 'if-none-match'],
  ] as const)('the preconditions %j of the entity tag %s fail at %s', (fields, tag, failed) => {
    expect(failedPrecondition({ ifMatch: undefined, ifNoneMatch: undefined, ...fields }, tag)).toBe(
      failed,
    );
  });
});
