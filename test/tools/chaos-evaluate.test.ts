/** The verdict of a chaos run: clean facts pass, and each broken promise is said in one line. */
import { describe, expect, test } from 'vitest';
import { compareRecords } from '../../tools/chaos/records.ts';
import type { OrderRecord, Effect } from '../../tools/chaos/records.ts';
import type { Kill } from '../../tools/chaos/killer.ts';
import { planOrder } from '../../tools/chaos/order-plan.ts';
import type { OrderPlan } from '../../tools/chaos/order-plan.ts';
import type { Purchase } from '../../tools/chaos/client.ts';
import { evaluate } from '../../tools/chaos/evaluate.ts';
import type { Thresholds, Facts, Receipts } from '../../tools/chaos/evaluate.ts';

const DEMANDS: Thresholds = {
  targets: ['postgres'],
  killsEach: 1,
  faults: ['hang'],
  settleWithinMs: 60_000,
  apiReadyWithinMs: 5_000,
  everyFirstTry: true,
};
const RECEIPTS: Receipts = { allAfterMs: 1_000, events: 8, twice: 1, failed: 2, wrong: [] };
const KILL: Kill = {
  target: 'postgres',
  how: 'SIGKILL',
  atMs: 0,
  backAfterMs: 1_000,
  apiReadyAfterMs: 1_200,
};
const ID = 'ord_a';
const BODY = JSON.stringify({ id: ID });

function planOf(wanted: Partial<OrderPlan> = {}): OrderPlan {
  return { ...planOrder(1, 0), key: 'k', shouldSucceed: true, ...wanted };
}

function purchaseOf(wanted: Partial<Purchase> = {}): Purchase {
  return {
    plan: planOf(),
    outcome: 'accepted',
    orderId: ID,
    reply: { status: 201, body: BODY },
    code: 'none',
    tries: 1,
    tookMs: 1,
    cancel: 'not_asked',
    ...wanted,
  };
}

function bookedOf(wanted: Partial<OrderRecord> = {}): OrderRecord {
  const order = { id: ID, status: 'shipped', totalMinor: 1200, currency: 'EUR' };
  return { ...order, attentionStep: null, hasDeadLetter: false, ...wanted };
}

function money(operation: string, amountMinor = 1200): Effect {
  return { operation, orderId: ID, amountMinor, currency: 'EUR' };
}

function goods(...operations: readonly string[]): readonly Effect[] {
  return operations.map((operation) => ({
    operation,
    orderId: ID,
    amountMinor: null,
    currency: null,
  }));
}

const SHIPPED = {
  orders: [bookedOf()],
  payments: [money('authorize'), money('capture')],
  warehouse: goods('reserve', 'ship'),
};

function factsOf(wanted: Partial<Facts> = {}): Facts {
  return {
    purchases: [purchaseOf()],
    records: SHIPPED,
    settledAfterMs: 1_000,
    caughtUpAfterMs: 1_000,
    receipts: RECEIPTS,
    repeats: new Map([['k', { status: 201, body: BODY }]]),
    kills: [KILL],
    fired: new Map([['hang', 1]]),
    auditDuring: [],
    auditRounds: 10,
    auditAfter: [],
    unchecked: [],
    ...wanted,
  };
}

describe('the verdict of a run', () => {
  test('a clean run has no violations', () => {
    const verdict = evaluate(factsOf(), DEMANDS);
    expect(verdict).toMatchObject({ violations: [], successShare: 1, lostAcknowledgements: 0 });
  });

  const lone = { payments: [], warehouse: [] };
  const broken: readonly (readonly [string, Partial<Facts>, string])[] = [
    [
      'an acknowledged order that is not in the database',
      { records: { ...lone, orders: [] } },
      'ord_a: acknowledged, and not in the database',
    ],
    [
      'an acknowledged order that expired',
      { records: { ...lone, orders: [bookedOf({ status: 'expired' })] } },
      'ord_a: acknowledged, and expired in the database',
    ],
    [
      'an order that is not settled',
      { settledAfterMs: null, records: { ...SHIPPED, orders: [bookedOf({ status: 'paid' })] } },
      'ord_a: still paid',
    ],
    [
      'a run that is not settled within the limit',
      { settledAfterMs: null },
      'not all at rest 60 s after healing',
    ],
    [
      'a subscription that stays behind',
      { caughtUpAfterMs: null },
      'not all subscriptions caught up 60 s after healing',
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
      { receipts: { ...RECEIPTS, wrong: ['webhook x: No matching signature found'] } },
      'webhook x: No matching signature found',
    ],
    [
      'an order that needed a second request',
      { purchases: [purchaseOf({ tries: 2 })] },
      'k: asked 2 times before it was answered',
    ],
    [
      'an order in needs_attention without a dead letter',
      { records: { ...SHIPPED, orders: [bookedOf({ status: 'needs_attention' })] } },
      'ord_a: needs attention at null, and nobody is told',
    ],
    ['an invariant broken during the faults', { auditDuring: ['x'] }, 'while harmed: x'],
    ['an invariant broken at the end', { auditAfter: ['x'] }, 'at the end: x'],
    ['an invariant that could not be checked', { unchecked: ['x'] }, 'not checked: x'],
    [
      'a run without checks during the faults',
      { auditRounds: 0 },
      'the invariants were never checked while harmed',
    ],
    [
      'a different response to a repeated request',
      { repeats: new Map([['k', { status: 201, body: '{}' }]]) },
      'k: answered 201, and otherwise when asked again',
    ],
    ['a fault that never fired', { fired: new Map() }, 'fault never fired: hang'],
    ['a process that was never killed', { kills: [] }, 'postgres was killed 0 times, not 1'],
    [
      'a process that stayed down',
      { kills: [{ ...KILL, backAfterMs: null }] },
      'postgres did not come back after SIGKILL',
    ],
    [
      'an API that was unavailable for too long',
      { kills: [{ ...KILL, apiReadyAfterMs: 5_100 }] },
      'the API was ready again only 5.1 s after SIGKILL of postgres',
    ],
    [
      'a share of shipped orders below the minimum',
      { purchases: [purchaseOf(), gaveUp()] },
      'only 50.0 % of the orders that could succeed have shipped',
    ],
  ];
  test.each(broken)('%s is reported as a violation', (_what, seen, line) => {
    expect(evaluate(factsOf(seen), DEMANDS).violations).toContain(line);
  });

  test('a retry is no violation in a run that allows retries', () => {
    const facts = factsOf({ purchases: [purchaseOf({ tries: 2 })], receipts: null });
    expect(evaluate(facts, { ...DEMANDS, everyFirstTry: false }).violations).toEqual([]);
  });

  test('an order in needs_attention with a dead letter is listed and is no violation', () => {
    const order = bookedOf({
      status: 'needs_attention',
      attentionStep: 'shipOrder',
      hasDeadLetter: true,
    });
    const { attention, violations } = evaluate(
      factsOf({ records: { ...SHIPPED, orders: [order] } }),
      DEMANDS,
    );
    expect(attention).toEqual(['ord_a waits at shipOrder']);
    expect(violations.filter((line) => line.includes('ord_a'))).toEqual([]);
  });

  function gaveUp(): Purchase {
    return purchaseOf({ outcome: 'gave_up', orderId: null, reply: null });
  }
});

describe('comparing ledgers and records', () => {
  const undone = goods('reserve', 'release');
  test.each([
    ['shipped', [money('authorize'), money('capture')], goods('reserve', 'ship')],
    ['cancelled', [money('authorize'), money('void')], []],
    ['cancelled', [money('authorize'), money('capture'), money('refund')], undone],
    [
      'cancelled',
      [money('authorize'), money('void')],
      goods('reserve', 'release', 'ship', 'cancel'),
    ],
    ['declined', [], []],
    ['expired', [], []],
    ['expired', [money('authorize'), money('void')], []],
    ['pending', [money('authorize')], []],
    ['needs_attention', [money('authorize'), money('capture')], goods('reserve')],
  ])(
    'an order in status %s with matching ledger effects has no discrepancy (case %$)',
    (status, payments, warehouse) => {
      expect(compareRecords({ orders: [bookedOf({ status })], payments, warehouse })).toEqual([]);
    },
  );

  test.each([
    {
      what: 'a second capture',
      status: 'shipped',
      more: ['capture', 'capture'],
      said: 'capture happened 2',
    },
    { what: 'an unpaid parcel', status: 'shipped', more: [], said: 'capture happened 0' },
    {
      what: 'money kept from a cancelled order',
      status: 'cancelled',
      more: ['capture'],
      said: 'refund happened 0',
    },
    {
      what: 'an authorization held after expiry',
      status: 'expired',
      more: [],
      said: 'void happened 0',
    },
    {
      what: 'a second refund of an order in needs_attention',
      status: 'needs_attention',
      more: ['refund', 'refund'],
      said: 'refund happened 2',
    },
  ])('$what is reported as a discrepancy', ({ status, more, said }) => {
    const lines = compareRecords({
      orders: [bookedOf({ status })],
      payments: ['authorize', ...more].map((operation) => money(operation)),
      warehouse: status === 'shipped' ? goods('reserve', 'ship') : [],
    });
    expect(lines).toEqual([expect.stringContaining(said)]);
  });

  test('a capture of another amount than the order total is reported as a discrepancy', () => {
    const payments = [money('authorize'), money('capture', 1100)];
    const lines = compareRecords({ ...SHIPPED, payments });
    expect(lines).toEqual(['ord_a: capture of 1100 EUR, ordered for 1200 EUR']);
  });

  test('an effect for an unknown order is reported as a discrepancy', () => {
    const unknown = { ...money('authorize'), orderId: 'ord_x' };
    const said = compareRecords({ ...SHIPPED, payments: [...SHIPPED.payments, unknown] });
    expect(said).toEqual(['authorize for ord_x: no such order']);
  });
});
