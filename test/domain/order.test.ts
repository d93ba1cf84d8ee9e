import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isSettledStatus,
  ORDER_STATUSES,
  SETTLED_STATUSES,
  sourcesOf,
  TRANSITIONS,
  type OrderStatus,
} from '../../domain/order.ts';

const TERMINAL: readonly OrderStatus[] = ['declined', 'expired', 'delivered', 'cancelled'];

describe('the transition table', () => {
  test('the transition table maps every status to distinct known statuses', () => {
    expect(Object.keys(TRANSITIONS)).toEqual([...ORDER_STATUSES]);
    for (const targets of Object.values(TRANSITIONS)) {
      expect(new Set(targets).size).toBe(targets.length);
      for (const target of targets) expect(ORDER_STATUSES).toContain(target);
    }
  });

  test('an order can leave every status but the final ones', () => {
    const final = ORDER_STATUSES.filter((status) => TRANSITIONS[status].length === 0);
    expect(final.toSorted()).toEqual(TERMINAL.toSorted());
  });

  test('no transition keeps the status or leads back to pending', () => {
    for (const status of ORDER_STATUSES) expect(TRANSITIONS[status]).not.toContain(status);
    expect(sourcesOf('pending')).toEqual([]);
  });

  test('every status is reachable from pending', () => {
    const reached = new Set<OrderStatus>(['pending']);
    for (const status of reached) for (const next of TRANSITIONS[status]) reached.add(next);
    expect([...reached].toSorted()).toEqual(ORDER_STATUSES.toSorted());
  });

  test('a final status is reachable from every status', () => {
    const ends = new Set<OrderStatus>(TERMINAL);
    for (const status of ends) for (const before of sourcesOf(status)) ends.add(before);
    expect([...ends].toSorted()).toEqual(ORDER_STATUSES.toSorted());
  });

  test('a declined, expired or cancelled order has no transition, and a shipped one only to delivered', () => {
    for (const status of ['declined', 'expired', 'cancelled'] as const) {
      expect(TRANSITIONS[status]).toEqual([]);
    }
    expect(TRANSITIONS.shipped).toEqual(['delivered']);
  });

  test('needs_attention is entered only from a status with a running workflow', () => {
    expect(sourcesOf('needs_attention')).toEqual(['placed', 'reserved', 'paid', 'cancelling']);
    expect(sourcesOf('cancelled')).toEqual(['cancelling', 'needs_attention']);
  });
});

test('sourcesOf is the inverse of the transition table', () => {
  const status = fc.constantFrom(...ORDER_STATUSES);
  fc.assert(
    fc.property(status, status, (from, to) => {
      expect(sourcesOf(to).includes(from)).toBe(TRANSITIONS[from].includes(to));
    }),
  );
});

test('an order is settled in a final status, in shipped and in needs_attention', () => {
  expect(SETTLED_STATUSES.toSorted()).toEqual(
    [...TERMINAL, 'shipped', 'needs_attention'].toSorted(),
  );
  for (const status of ORDER_STATUSES)
    expect(isSettledStatus(status)).toBe(SETTLED_STATUSES.includes(status));
});
