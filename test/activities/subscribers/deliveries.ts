/** Ways in which at-least-once delivery may cut, repeat and reorder a log, for fast-check. */
import fc from 'fast-check';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { times } from '../../support/times.ts';

export type DeliveryClient = readonly (readonly LoggedEvent[])[];

/**
 * Some batches of any events in any order, then the whole log in batches: so that each event comes
 * at least once, many come again, and batches are half seen before.
 */
export function deliveriesOf(log: readonly LoggedEvent[]): fc.Arbitrary<DeliveryClient> {
  const early = fc.array(fc.shuffledSubarray([...log]), { maxLength: 3 });
  const rest = fc
    .tuple(fc.shuffledSubarray([...log], { minLength: log.length }), fc.integer({ min: 1, max: 9 }))
    .map(([events, size]) => batches(events, size));
  return fc.tuple(early, rest).map(([some, all]) => [...some, ...all]);
}

function batches(events: readonly LoggedEvent[], size: number): LoggedEvent[][] {
  const count = Math.ceil(events.length / size);
  return times(count, (at) => events.slice(at * size, (at + 1) * size));
}
