/**
 * What the shop remembers of each press of Buy: the request, and what came back. In memory, the newest
 * ones only; after a restart an order is shown without it.
 */
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { PlaceOrder } from './api.ts';
import type { Answer } from './connection.ts';

export interface Purchase {
  /** The Idempotency-Key of every request for it. */
  readonly key: string;
  /** When Buy was pressed first, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly order: PlaceOrder;
  /** The trouble that was made for it, in words. */
  readonly trouble: readonly string[];
  readonly answers: readonly TimedAnswer[];
}

export interface TimedAnswer extends Answer {
  /** When its request was sent, in milliseconds since the epoch. */
  readonly sentAtMs: number;
}

export interface Purchases {
  find(key: string): Purchase | undefined;
  ofOrder(orderId: string): Purchase | undefined;
  put(purchase: Purchase): void;
}

const MAX_PURCHASES = 500;
/** Of one order: the first one, which names it, and the newest ones. */
const MAX_ANSWERS = 10;

export function createPurchases(): Purchases {
  const purchases = new LRUCache<string, Purchase>({ max: MAX_PURCHASES });
  return {
    find: (key) => purchases.get(key),
    ofOrder: (orderId) => [...purchases.values()].find((each) => orderIdOf(each) === orderId),
    put: (purchase) => void purchases.set(purchase.key, purchase),
  };
}

/** The purchase with more answers. */
export function withAnswers(purchase: Purchase, more: readonly TimedAnswer[]): Purchase {
  const all = [...purchase.answers, ...more];
  const answers =
    all.length > MAX_ANSWERS ? [...all.slice(0, 1), ...all.slice(1 - MAX_ANSWERS)] : all;
  return { ...purchase, answers };
}

const placedSchema = z.object({ id: z.string() });
const waitingSchema = z.object({ order_id: z.string() });

/** The order that was placed, or waits for the shopper at the bank; null when there is none. */
export function orderIdOf({ answers }: Pick<Purchase, 'answers'>): string | null {
  for (const { status, body } of answers) {
    const placed = placedSchema.safeParse(body);
    if (status === 201 && placed.success) return placed.data.id;
    const waiting = waitingSchema.safeParse(body);
    if (status === 202 && waiting.success) return waiting.data.order_id;
  }
  return null;
}
