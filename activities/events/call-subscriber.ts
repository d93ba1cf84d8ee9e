/** One call of a subscriber, with its deadline. */
import { TaskCancelledError, timeout, TimeoutStrategy } from 'cockatiel';
import type { LoggedEvent } from '../../prisma/events/event-log.ts';
import { DeliveryError, type Subscriber } from './subscribers/subscriber.ts';

/** Rejects with the subscriber's error, or with a DeliveryError when its deadline passes. */
export async function callSubscriber(
  subscriber: Subscriber,
  events: readonly LoggedEvent[],
): Promise<void> {
  const { deadlineMs } = subscriber;
  try {
    await timeout(deadlineMs, TimeoutStrategy.Aggressive).execute(({ signal }) =>
      subscriber.handle(events, signal),
    );
  } catch (error) {
    if (!(error instanceof TaskCancelledError)) throw error;
    throw new DeliveryError(`no response within ${deadlineMs} ms`);
  }
}
