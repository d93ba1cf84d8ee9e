/**
 * Lets a request wait until an order is settled (`Prefer: wait=N`, RFC 7240). PostgreSQL notifies
 * the waiters; a slow poll covers lost notifications. Beyond the limit a request does not wait.
 */
import type { OrderId } from '../domain/ids.ts';
import { isSettledStatus } from '../domain/order.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import { findOrderStatus } from '../prisma/orders/orders.ts';

export interface OrderWaiters {
  /** Resolves when the order is settled or missing, at the timeout, on abort and on `close`. */
  untilSettled(
    orderId: OrderId,
    limits: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Ends all waits. Later ones end immediately. */
  close(): void;
}

const MAX_WAITERS = 500;
const POLL_MS = 1_000;

interface Waiter {
  readonly orderId: OrderId;
  wake(): void;
}

export function createOrderWaiters(deps: {
  readonly db: Database;
  readonly notifications: Notifications;
  readonly maxWaiters?: number | undefined;
  readonly pollMs?: number | undefined;
}): OrderWaiters {
  const waiters = new Set<Waiter>();
  const { maxWaiters = MAX_WAITERS, pollMs = POLL_MS } = deps;
  let closed = false;
  const unsubscribe = deps.notifications.subscribe('holdfast_orders', (orderId) => {
    for (const waiter of waiters) {
      if (orderId === null || waiter.orderId === orderId) waiter.wake();
    }
  });

  async function untilSettled(
    orderId: OrderId,
    limits: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const until = performance.now() + limits.waitMs;
    while (!closed && !limits.signal.aborted) {
      // Subscribes before it reads the status, so that no change is missed in between.
      const woken = listenFor(waiters, orderId, limits.signal);
      try {
        const status = await findOrderStatus(deps.db, orderId);
        const leftMs = until - performance.now();
        if (status === null || isSettledStatus(status) || leftMs <= 0) return;
        await woken.within(Math.min(leftMs, pollMs));
      } finally {
        woken.end();
      }
    }
  }

  return {
    async untilSettled(orderId, limits) {
      if (waiters.size >= maxWaiters) return;
      await untilSettled(orderId, limits);
    },
    close() {
      closed = true;
      unsubscribe();
      for (const waiter of waiters) waiter.wake();
    },
  };
}

/** Subscribes until `end`. `within` resolves on a notification, on abort and after `ms`. */
function listenFor(waiters: Set<Waiter>, orderId: OrderId, signal: AbortSignal) {
  let wake = (): void => undefined;
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const waiter = { orderId, wake };
  let timer: NodeJS.Timeout | undefined;
  waiters.add(waiter);
  signal.addEventListener('abort', wake);
  return {
    within(ms: number): Promise<void> {
      timer = setTimeout(wake, ms);
      return woken;
    },
    end(): void {
      clearTimeout(timer);
      waiters.delete(waiter);
      signal.removeEventListener('abort', wake);
    },
  };
}
