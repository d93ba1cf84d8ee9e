/**
 * Notifies the customer of an order that expired because the payment was not confirmed, where the shop
 * wants it. Such an order has no workflow of its own, so each notification gets one.
 */
import { STARTER_RETRY_DELAYS_MS } from '../../../domain/delivery.ts';
import type { Notification, OrderId } from '../../../domain/ids.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { throwFailed, type PartialFailure, type Subscriber } from './subscriber.ts';

export interface ExpiryNotifierDeps {
  /** False: no notification is sent. */
  readonly notifyExpired: boolean;
  /** Starts the workflow of the notification. Rejects when that is unknown. */
  startNotification(input: {
    readonly orderId: OrderId;
    readonly notification: Notification;
  }): Promise<unknown>;
  /** True when the customer of the order gets an SMS, too. */
  isTextDue(orderId: OrderId): Promise<boolean>;
}

export function createExpiryNotifierSubscriber(deps: ExpiryNotifierDeps): Subscriber {
  return {
    name: 'expiry-notifier',
    types: ['order.expired'],
    startsAt: 'now',
    isOff: !deps.notifyExpired,
    maxBatch: 20,
    delayMs: 0,
    deadlineMs: 20_000,
    retryDelaysMs: STARTER_RETRY_DELAYS_MS,
    selectWanted: (events) =>
      Promise.resolve(deps.notifyExpired ? events.filter(hadToBeConfirmed) : []),
    handle: (events, signal) => notifyAll(deps, events, signal),
  };
}

/** Others were abandoned: their shopper was asked to try again. */
function hadToBeConfirmed({ data }: LoggedEvent): boolean {
  return data['cause'] === 'payment_action';
}

/** One that cannot be started does not keep the others from being started. */
async function notifyAll(
  deps: ExpiryNotifierDeps,
  events: readonly LoggedEvent[],
  signal: AbortSignal,
): Promise<void> {
  const failed: PartialFailure['failed'][number][] = [];
  for (const event of events) {
    signal.throwIfAborted();
    try {
      await notify(deps, event.orderId);
    } catch (error) {
      failed.push({ event, error });
    }
  }
  throwFailed(events, failed);
}

async function notify(deps: ExpiryNotifierDeps, orderId: OrderId): Promise<void> {
  await deps.startNotification({ orderId, notification: 'expired' });
  if (await deps.isTextDue(orderId)) {
    await deps.startNotification({ orderId, notification: 'sms/expired' });
  }
}
