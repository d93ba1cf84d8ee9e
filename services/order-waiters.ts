/**
 * Lets a request wait until an order rests (`Prefer: wait=N`, RFC 7240). Woken by PostgreSQL, with
 * a slow poll for the wake-up that is lost. Bounded: beyond the limit nobody waits.
 */
import type { OrderId } from '../domain/ids.ts';
import { isSettledStatus } from '../domain/order.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import { findOrderStatus } from '../prisma/orders/orders.ts';

export interface OrderWaiters {
  /** Resolves when the order rests, does not exist, the time is up, or waiting is over. */
  untilSettled(
    orderId: OrderId,
    asked: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Lets everybody go, now and later. */
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
    asked: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const until = performance.now() + asked.waitMs;
    while (!closed && !asked.signal.aborted) {
      // Listening begins before the question, so that nothing falls between the two.
      const woken = listenFor(waiters, orderId, asked.signal);
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
    async untilSettled(orderId, asked) {
      if (waiters.size >= maxWaiters) return;
      await untilSettled(orderId, asked);
    },
    close() {
      closed = true;
      unsubscribe();
      for (const waiter of waiters) waiter.wake();
    },
  };
}

/** Listens until `end`; `within` waits for the wake-up, the abort or the time. */
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
