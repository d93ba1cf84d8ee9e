/** One call of a subscriber, with its deadline. */
import { setTimeout } from 'node:timers/promises';
import type { LoggedEvent } from '../../prisma/events/event-log.ts';
import { DeliveryError, type Subscriber } from './subscribers/subscriber.ts';

/** Rejects with what the subscriber throws, or with a DeliveryError when its deadline passes. */
export async function callSubscriber(
  subscriber: Subscriber,
  events: readonly LoggedEvent[],
): Promise<void> {
  const deadline = new AbortController();
  const handled = new AbortController();
  const overdue = setTimeout(subscriber.deadlineMs, undefined, { signal: handled.signal }).then(
    () => {
      deadline.abort();
      throw new DeliveryError(`no response within ${subscriber.deadlineMs} ms`);
    },
  );
  try {
    await Promise.race([subscriber.handle(events, deadline.signal), overdue]);
  } finally {
    handled.abort();
    overdue.catch(() => undefined);
  }
}
