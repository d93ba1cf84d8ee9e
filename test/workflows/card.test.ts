import { describe, expect, test } from 'vitest';
import { LAST_LINES, renderCard, type Card } from '../../workflows/checkout/card.ts';

const NOTHING: Card = {
  total: '24.00 EUR',
  status: 'placed',
  states: new Map(),
  waiting: null,
  retried: [],
  requestedAt: null,
  held: null,
  consoleUrl: 'https://shop.test/console/orders/ord_1',
};
const SINCE = '2026-01-31T12:00:00.123Z';
const RETRIED = { title: 'Reserve the stock', failure: 'reserve: no answer', since: SINCE };
const WAITING = {
  steps: ['voidOrRefundPayment'],
  failure: 'refund: refused (insufficient_funds)',
  deadLetters: { voidOrRefundPayment: 'dl_1' },
};

const firstLine = (changes: Partial<Card>): string =>
  renderCard({ ...NOTHING, ...changes }).split('\n')[0] ?? '';

describe('the first line of the card', () => {
  test('an order that waits for a person says what waits, why, which decisions there are, and where to take them', () => {
    expect(firstLine({ waiting: WAITING, status: 'needs_attention' })).toBe(
      '**Waits for a person**: Void or refund the payment (voidOrRefundPayment). ' +
        'refund: refused (insufficient\\_funds). Decide: retry or skip, ' +
        '[in the console](https://shop.test/console/orders/ord_1) or by `POST /v1/dead-letters/dl_1/redrive`.',
    );
  });

  test('an order without a known page or dead letter still says what can be decided', () => {
    const waiting = { ...WAITING, deadLetters: {} };
    expect(firstLine({ waiting, consoleUrl: null })).toMatch(
      /Decide: retry or skip, by redriving its dead letter\.$/,
    );
  });

  test('a question to a person comes before a retry, a retry before the callback, and both say since when', () => {
    const states = new Map([['shipOrder', 'running']] as const);
    const shipping = { states, requestedAt: SINCE, status: 'paid' } as const;
    expect(firstLine(shipping)).toMatch(
      /^Waits for the warehouse's callback since 2026-01-31 12:00:00 UTC\. \[/,
    );
    expect(firstLine({ ...shipping, retried: [RETRIED] })).toMatch(
      /^Retrying since 2026-01-31 12:00:00 UTC: Reserve the stock\. reserve: no answer\. \[/,
    );
    const asked = { ...shipping, retried: [RETRIED], waiting: WAITING };
    expect(firstLine(asked)).toMatch(/^\*\*Waits for a person/);
  });

  test('an order that runs names the step in words, and one that has ended says that nothing is left', () => {
    const running = new Map([['notify: confirmed', 'running']] as const);
    expect(firstLine({ states: running })).toMatch(/^Runs: Notify the customer: confirmed\./);
    const texting = new Map([['notify: sms/shipped', 'running']] as const);
    expect(firstLine({ states: texting })).toMatch(/^Runs: Notify the customer: shipped by SMS\./);
    expect(firstLine({ status: 'shipped' })).toMatch(/^Shipped\./);
    expect(firstLine({ status: 'cancelled' })).toMatch(/^Cancelled\./);
  });
});

test('the table of the card has a row for each step with its compensation, and as many rows at any time', () => {
  const states: Card['states'] = new Map([
    ['reserveStock', 'done'],
    ['capturePayment', 'done'],
    ['shipOrder', 'refused'],
    ['cancelShipment', 'compensated'],
    ['voidOrRefundPayment', 'waiting'],
    ['releaseStock', 'skipped'],
    ['notify: confirmed', 'done'],
    ['notify: cancelled', 'running'],
    ['notify: sms/shipped', 'failed'],
  ]);
  const rows = (card: Card): string[] => renderCard(card).split('\n').slice(2);
  expect(rows({ ...NOTHING, states, status: 'needs_attention' })).toEqual([
    '| 24.00 EUR | needs attention | compensation |',
    '|---|---|---|',
    '| Reserve the stock | ✓ done | Release the stock: » skipped |',
    '| Capture the payment | ✓ done | Void or refund the payment: ? waits |',
    '| Ship the order | ✗ refused | Cancel the shipment: ✓ done |',
    '| Notify the customer | confirmed ✓, cancelled …, shipped by SMS ! |  |',
    ...LAST_LINES,
  ]);
  expect(rows(NOTHING)).toHaveLength(8);
});
