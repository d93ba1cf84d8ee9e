/**
 * Lets a request wait until an order is settled (`Prefer: wait=N`, RFC 7240). PostgreSQL wakes it, and
 * a slow poll covers a lost notification. Bounded, in all and per API key: beyond the limit a request
 * does not wait.
 */
import type { OrderId } from '../domain/ids.ts';
import { isSettledStatus } from '../domain/order.ts';
import type { Database } from '../prisma/client/client.ts';
import type { Notifications } from '../prisma/client/listen.ts';
import { createWakeup } from '../prisma/client/wakeup.ts';
import { findOrderStatus } from '../prisma/orders/orders.ts';

export interface OrderWaiters {
  /**
   * Resolves when the order is settled or does not exist, after the time, or at `close`. False: it did not
   * wait, because too many do.
   */
  untilSettled(orderId: OrderId, limits: WaitLimits): Promise<boolean>;
  /** Ends all waits, now and later. */
  close(): void;
}

export interface WaitLimits {
  readonly apiKeyId: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

const MAX_WAITERS = 500;
const MAX_PER_KEY = 400;
const POLL_MS = 1_000;

interface Waiter {
  readonly apiKeyId: string;
  readonly orderId: OrderId;
  wake(): void;
}

export function createOrderWaiters(deps: {
  readonly db: Database;
  readonly notifications: Notifications;
  readonly maxWaiters?: number | undefined;
  readonly maxPerKey?: number | undefined;
  readonly pollMs?: number | undefined;
}): OrderWaiters {
  const waiters = new Set<Waiter>();
  const { maxWaiters = MAX_WAITERS, maxPerKey = MAX_PER_KEY, pollMs = POLL_MS } = deps;
  let closed = false;
  const unsubscribe = deps.notifications.subscribe('holdfast_orders', (orderId) => {
    for (const waiter of waiters) {
      if (orderId === null || waiter.orderId === orderId) waiter.wake();
    }
  });

  async function untilSettled(
    orderId: OrderId,
    { apiKeyId, waitMs, signal }: WaitLimits,
  ): Promise<void> {
    const until = performance.now() + waitMs;
    const wakeup = createWakeup();
    // Before the first read, so that no change is missed in between.
    const waiter = { apiKeyId, orderId, wake: wakeup.signal };
    waiters.add(waiter);
    signal.addEventListener('abort', waiter.wake);
    try {
      while (!closed && !signal.aborted) {
        const status = await findOrderStatus(deps.db, orderId);
        const leftMs = until - performance.now();
        if (status === null || isSettledStatus(status) || leftMs <= 0) return;
        await wakeup.waitUntil(Math.min(leftMs, pollMs));
      }
    } finally {
      waiters.delete(waiter);
      signal.removeEventListener('abort', waiter.wake);
    }
  }

  return {
    async untilSettled(orderId, limits) {
      const own = [...waiters].filter(({ apiKeyId }) => apiKeyId === limits.apiKeyId).length;
      if (waiters.size >= maxWaiters || own >= maxPerKey) return false;
      await untilSettled(orderId, limits);
      return true;
    },
    close() {
      closed = true;
      unsubscribe();
      for (const waiter of waiters) waiter.wake();
    },
  };
}
