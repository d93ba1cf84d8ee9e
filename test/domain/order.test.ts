import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isResting,
  ORDER_STATUSES,
  RESTING,
  sourcesOf,
  TRANSITIONS,
  type OrderStatus,
} from '../../domain/order.ts';

const TERMINAL: readonly OrderStatus[] = ['declined', 'expired', 'delivered', 'cancelled'];

describe('the transition table', () => {
  test('says for every status where an order may go, and names no status twice', () => {
    expect(Object.keys(TRANSITIONS)).toEqual([...ORDER_STATUSES]);
    for (const targets of Object.values(TRANSITIONS)) {
      expect(new Set(targets).size).toBe(targets.length);
      for (const target of targets) expect(ORDER_STATUSES).toContain(target);
    }
  });

  test('lets an order leave every status but the final ones', () => {
    const final = ORDER_STATUSES.filter((status) => TRANSITIONS[status].length === 0);
    expect(final.toSorted()).toEqual(TERMINAL.toSorted());
  });

  test('lets no order stand still or begin again', () => {
    for (const status of ORDER_STATUSES) expect(TRANSITIONS[status]).not.toContain(status);
    expect(sourcesOf('pending')).toEqual([]);
  });

  test('reaches every status from pending', () => {
    const reached = new Set<OrderStatus>(['pending']);
    for (const status of reached) for (const next of TRANSITIONS[status]) reached.add(next);
    expect([...reached].toSorted()).toEqual(ORDER_STATUSES.toSorted());
  });

  test('leads to an end from everywhere', () => {
    const ends = new Set<OrderStatus>(TERMINAL);
    for (const status of ends) for (const before of sourcesOf(status)) ends.add(before);
    expect([...ends].toSorted()).toEqual(ORDER_STATUSES.toSorted());
  });

  test('never sells an order that was declined, expired or cancelled', () => {
    for (const status of ['declined', 'expired', 'cancelled'] as const) {
      expect(TRANSITIONS[status]).toEqual([]);
    }
    expect(TRANSITIONS.shipped).toEqual(['delivered']);
  });

  test('parks an order only from where its workflow runs', () => {
    expect(sourcesOf('needs_attention')).toEqual(['placed', 'reserved', 'paid', 'cancelling']);
    expect(sourcesOf('cancelled')).toEqual(['cancelling', 'needs_attention']);
  });
});

test('sourcesOf is the table read backwards', () => {
  const status = fc.constantFrom(...ORDER_STATUSES);
  fc.assert(
    fc.property(status, status, (from, to) => {
      expect(sourcesOf(to).includes(from)).toBe(TRANSITIONS[from].includes(to));
    }),
  );
});

test('an order rests where nothing moves by itself: at an end, shipped, or with a person', () => {
  expect(RESTING.toSorted()).toEqual([...TERMINAL, 'shipped', 'needs_attention'].toSorted());
  for (const status of ORDER_STATUSES) expect(isResting(status)).toBe(RESTING.includes(status));
});
