import { describe, expect, test } from 'vitest';
import { clientAddress } from '../../api/http/client-address.ts';

const PEER = '10.0.0.9';

describe('the address of a client', () => {
  test.each<readonly [string | undefined, number, string | undefined]>([
    // No proxy is trusted by default: the other end of the connection, whatever it says.
    [undefined, 0, PEER],
    ['203.0.113.7', 0, PEER],
    ['203.0.113.7, 198.51.100.1', 0, PEER],
    // One proxy: the last entry, which that proxy wrote.
    [undefined, 1, PEER],
    ['', 1, PEER],
    ['203.0.113.7', 1, '203.0.113.7'],
    ['1.1.1.1, 203.0.113.7', 1, '203.0.113.7'],
    ['1.1.1.1,203.0.113.7', 1, '203.0.113.7'],
    ['1.1.1.1, 2.2.2.2, 3.3.3.3, 203.0.113.7', 1, '203.0.113.7'],
    ['127.0.0.1, 203.0.113.7,', 1, '203.0.113.7'],
    [' , ,203.0.113.7', 1, '203.0.113.7'],
    // Two proxies: the last but one. With fewer entries, a proxy was left out.
    ['203.0.113.7, 10.0.0.8', 2, '203.0.113.7'],
    ['1.1.1.1, 203.0.113.7, 10.0.0.8', 2, '203.0.113.7'],
    ['203.0.113.7', 2, '203.0.113.7'],
    [undefined, 2, PEER],
    ['203.0.113.7, 10.0.0.7, 10.0.0.8', 3, '203.0.113.7'],
    // The forms that proxies write.
    ['203.0.113.7:51234', 1, '203.0.113.7'],
    ['2001:db8::1', 1, '2001:db8::1'],
    ['[2001:db8::1]', 1, '2001:db8::1'],
    ['[2001:db8::1]:443', 1, '2001:db8::1'],
    ['::ffff:203.0.113.7', 1, '203.0.113.7'],
    // Not an address: nothing of it gets into the log.
    ['unknown', 1, undefined],
    ['_hidden', 1, undefined],
    ['999.0.0.1', 1, undefined],
    ['203.0.113.7.example', 1, undefined],
    ['ada@example.com', 1, undefined],
    ['203.0.113.7\u2028{"level":60}', 1, undefined],
    ['<script>', 1, undefined],
    [`${'1'.repeat(10_000)}`, 1, undefined],
  ])('X-Forwarded-For %j behind %i proxies is %s', (forwardedFor, trustedProxies, expected) => {
    expect(clientAddress({ peer: PEER, forwardedFor, trustedProxies })).toBe(expected);
  });

  test('what a client writes itself never changes the address that the proxy saw', () => {
    for (const claim of ['1.1.1.1', '1.1.1.1, 2.2.2.2', ',', '"', 'x'.repeat(1_000), '::1']) {
      const forwardedFor = `${claim}, 203.0.113.7`;
      const seen = clientAddress({ peer: PEER, forwardedFor, trustedProxies: 1 });
      expect([claim, seen]).toEqual([claim, '203.0.113.7']);
    }
  });

  test('an IPv4 client of a socket for both families is written as IPv4', () => {
    const of = (peer: string | undefined) =>
      clientAddress({ peer, forwardedFor: undefined, trustedProxies: 0 });
    expect(of('::ffff:127.0.0.1')).toBe('127.0.0.1');
    expect(of('fe80::1')).toBe('fe80::1');
    expect(of(undefined)).toBeUndefined();
  });
});
