/** The verdict of a chaos run: clean facts pass, and each broken promise is reported in one line. */
import { describe, expect, test } from 'vitest';
import type { InvariantResult } from '../../prisma/operations/invariants.ts';
import { ACKNOWLEDGED_CHECK } from '../../tools/audit/acknowledged.ts';
import type { Purchase } from '../../tools/chaos/client.ts';
import { evaluate } from '../../tools/chaos/evaluate.ts';
import type { Facts, Receipts, Thresholds } from '../../tools/chaos/evaluate.ts';
import type { Kill } from '../../tools/chaos/killer.ts';
import { planOrder, type Challenge } from '../../tools/chaos/order-plan.ts';

const THRESHOLDS: Thresholds = {
  targets: ['postgres'],
  killsEach: 1,
  faults: ['hang'],
  apiReadyWithinMs: 5_000,
  everyFirstAttempt: true,
};
const RECEIPTS: Receipts = { allAfterMs: 1_000, events: 8, repeated: 1, failed: 2, invalid: [] };
const KILL: Kill = {
  target: 'postgres',
  how: 'SIGKILL',
  recoveredAfterMs: 1_000,
  apiReadyAfterMs: 1_200,
};
const ID = 'ord_a';
const BODY = JSON.stringify({ id: ID });
const SHIPPED = { id: ID, status: 'shipped', attentionStep: null };
const HOLDS: InvariantResult = {
  name: 'stock_bounds',
  title: 'Stock is never negative',
  holds: 'always',
  violations: 0,
  examples: [],
  unchecked: null,
  tookMs: 1,
};
const LOST: InvariantResult = {
  ...HOLDS,
  name: ACKNOWLEDGED_CHECK,
  violations: 1,
  examples: [{ subject: ID, detail: 'acknowledged, but not in the database' }],
};

function purchaseOf(wanted: Partial<Purchase> = {}): Purchase {
  return {
    plan: { ...planOrder(1, 0), key: 'k', shouldSucceed: true },
    outcome: 'accepted',
    orderId: ID,
    reply: { status: 201, body: BODY },
    code: 'none',
    attempts: 1,
    ...wanted,
  };
}

/** One who left after the bank's question. */
function leftOf(challenge: Challenge): Purchase {
  const { plan, ...purchase } = purchaseOf({ outcome: 'left' });
  return { ...purchase, plan: { ...plan, challenge } };
}

function factsOf(wanted: Partial<Facts> = {}): Facts {
  return {
    purchases: [purchaseOf()],
    orders: [SHIPPED],
    settledAfterMs: 1_000,
    caughtUpAfterMs: 1_000,
    receipts: RECEIPTS,
    repeats: new Map([['k', { status: 201, body: BODY }]]),
    kills: [KILL],
    fired: new Map([['hang', 1]]),
    violationsDuring: [],
    checksDuring: 10,
    audit: [HOLDS],
    ...wanted,
  };
}

test('a clean run has no violations', () => {
  const verdict = evaluate(factsOf(), THRESHOLDS);
  expect(verdict).toMatchObject({ violations: [], successShare: 1, lostAcknowledgements: 0 });
});

describe('violations', () => {
  const broken: readonly (readonly [string, Partial<Facts>, string])[] = [
    [
      'an acknowledged order that is not in the database',
      { audit: [HOLDS, LOST] },
      `at the end: ${ACKNOWLEDGED_CHECK}: ord_a: acknowledged, but not in the database`,
    ],
    [
      'an acknowledgement without an order id',
      { purchases: [purchaseOf({ orderId: null })] },
      'k: 201 without an order id',
    ],
    [
      'an order that is not settled',
      { settledAfterMs: null, orders: [{ ...SHIPPED, status: 'paid' }] },
      'ord_a: not settled, paid',
    ],
    [
      'a run that is not settled within the limit',
      { settledAfterMs: null },
      'not all orders settled within 60 s of clearing the faults',
    ],
    [
      'a shopper who confirmed the payment and left, and has no order',
      { purchases: [leftOf('webhook')], orders: [{ ...SHIPPED, status: 'expired' }] },
      'ord_a: confirmed, and expired',
    ],
    [
      'a shopper who confirmed nothing, and has an order',
      { purchases: [leftOf('abandons')] },
      'ord_a: not confirmed, and shipped',
    ],
    [
      'a subscription that keeps lagging',
      { caughtUpAfterMs: null },
      'not all subscriptions caught up within 60 s of clearing the faults',
    ],
    [
      'an event missing at the webhook receiver',
      { receipts: { ...RECEIPTS, allAfterMs: null } },
      'events are missing at the webhook receiver',
    ],
    [
      'a webhook receiver that never failed',
      { receipts: { ...RECEIPTS, failed: 0 } },
      'the webhook receiver never failed',
    ],
    [
      'a webhook that the official library rejects',
      { receipts: { ...RECEIPTS, invalid: ['webhook x: No matching signature found'] } },
      'webhook x: No matching signature found',
    ],
    [
      'an order that needed a second request',
      { purchases: [purchaseOf({ attempts: 2 })] },
      'k: 2 attempts until the final response',
    ],
    ['an invariant broken during the faults', { violationsDuring: ['x'] }, 'during the faults: x'],
    [
      'an invariant broken at the end beyond the listed examples',
      { audit: [{ ...LOST, violations: 3 }] },
      `at the end: ${ACKNOWLEDGED_CHECK}: and 2 more`,
    ],
    [
      'an invariant that could not be checked',
      { audit: [{ ...HOLDS, unchecked: 'no time left' }] },
      'not checked: stock_bounds: no time left',
    ],
    [
      'a run without checks during the faults',
      { checksDuring: 0 },
      'the invariants were never checked during the faults',
    ],
    [
      'a different response to a repeated request',
      { repeats: new Map([['k', { status: 201, body: '{}' }]]) },
      'k: got 201, and another response to the repeated request',
    ],
    ['a fault that never fired', { fired: new Map() }, 'fault never fired: hang'],
    ['a process that was never killed', { kills: [] }, 'postgres was killed 0 times, not 1'],
    [
      'a process that stayed down',
      { kills: [{ ...KILL, recoveredAfterMs: null }] },
      'postgres did not recover from SIGKILL',
    ],
    [
      'an API that was unavailable for too long',
      { kills: [{ ...KILL, apiReadyAfterMs: 5_100 }] },
      'the API was ready again only 5.1 s after SIGKILL of postgres',
    ],
    [
      'a share of shipped orders below the minimum',
      { purchases: [purchaseOf(), purchaseOf({ outcome: 'gave_up', orderId: null, reply: null })] },
      'only 50.0 % of the orders that could succeed have shipped',
    ],
  ];
  test.each(broken)('%s is reported as a violation', (_what, seen, line) => {
    expect(evaluate(factsOf(seen), THRESHOLDS).violations).toContain(line);
  });

  test('the verdict counts lost acknowledgements from the audit', () => {
    expect(evaluate(factsOf({ audit: [LOST] }), THRESHOLDS).lostAcknowledgements).toBe(1);
  });

  test('a retry is no violation in a run that allows retries', () => {
    const facts = factsOf({ purchases: [purchaseOf({ attempts: 2 })], receipts: null });
    expect(evaluate(facts, { ...THRESHOLDS, everyFirstAttempt: false }).violations).toEqual([]);
  });

  test('an order in needs_attention is listed with its step and is settled', () => {
    const order = { ...SHIPPED, status: 'needs_attention', attentionStep: 'shipOrder' };
    const { attention, violations } = evaluate(factsOf({ orders: [order] }), THRESHOLDS);
    expect(attention).toEqual(['ord_a waits at shipOrder']);
    expect(violations.filter((line) => line.includes('ord_a'))).toEqual([]);
  });
});
