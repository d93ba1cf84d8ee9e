/** The classes of requests, by what a request may have to wait for, and how much of each is accepted. */
import type { ConcurrencyLimits } from './concurrency-limit.ts';

export type RequestClass = keyof typeof CONCURRENCY_LIMITS;

export const CONCURRENCY_LIMITS = {
  /**
   * 64 at once is what the payment guard lets through, and 256 a second at 250 ms each: more than one
   * process can do. A rush of 320 clicks at once is served within seconds. After 8 s of overload 64
   * wait: a shopper waits some seconds, and fifty who retry without a pause are all served by a
   * process that has just started and is slow.
   */
  checkout: {
    maxRunning: 64,
    minRunning: 8,
    maxQueued: 256,
    maxStalled: 64,
    stalledAfterMs: 8_000,
    maxWaitMs: 10_000,
  },
  /** Asked many times for one order, and of use for a moment only: these give way first. */
  quote: {
    maxRunning: 32,
    minRunning: 4,
    maxQueued: 64,
    maxStalled: 16,
    stalledAfterMs: 1_000,
    maxWaitMs: 1_000,
  },
  /** Reads of the catalog: those that are in the cache need no database, so no other call holds them up. */
  catalog: {
    maxRunning: 64,
    minRunning: 8,
    maxQueued: 256,
    maxStalled: 64,
    stalledAfterMs: 1_000,
    maxWaitMs: 2_000,
  },
  /** Other reads, and writes to our own database: short. */
  other: {
    maxRunning: 64,
    minRunning: 8,
    maxQueued: 256,
    maxStalled: 64,
    stalledAfterMs: 1_000,
    maxWaitMs: 2_000,
  },
  /**
   * Calls that wait for a workflow or a webhook receiver, up to 15 s each: while no worker runs, seven
   * a second would take all permits of a class. 16 at once are hundreds a second in normal operation.
   */
  slow: {
    maxRunning: 16,
    minRunning: 4,
    maxQueued: 64,
    maxStalled: 16,
    stalledAfterMs: 1_000,
    maxWaitMs: 2_000,
  },
  /** All calls of the console: however many pages are open, shoppers keep permits and connections. */
  console: {
    maxRunning: 8,
    minRunning: 2,
    maxQueued: 128,
    maxStalled: 128,
    stalledAfterMs: 1_000,
    maxWaitMs: 5_000,
  },
} satisfies Record<string, ConcurrencyLimits>;

const CATALOG_PATH = /^\/v1\/products(?:\/[^/]+)?$/;

/** A shopper waits for the payment provider. */
const CHECKOUT_PATH = /^\/v1\/orders(?:\/[^/]+\/confirm)?$/;

/** They wait for Temporal or for a webhook receiver, or read and write many rows. */
const SLOW_PATHS = [
  /^\/v1\/orders\/[^/]+\/cancel$/,
  /^\/v1\/dead-letters\/(?:[^/]+\/)?redrive$/,
  /^\/v1\/dead-letters\/discard$/,
  /^\/v1\/webhook-endpoints\/[^/]+\/(?:test|redeliver)$/,
  /^\/v1\/webhook-endpoints$/,
  /^\/v1\/subscriptions\/[^/]+\/resume$/,
  /^\/v1\/persons\/(?:erase|export)$/,
  /^\/v1\/(?:imports|bulk)$/,
];

export function requestClassOf(request: {
  readonly method: string;
  readonly path: string;
}): RequestClass {
  const { method, path } = request;
  if ((method === 'GET' || method === 'HEAD') && CATALOG_PATH.test(path)) return 'catalog';
  if (method !== 'POST') return 'other';
  if (CHECKOUT_PATH.test(path)) return 'checkout';
  if (path === '/v1/quotes') return 'quote';
  return SLOW_PATHS.some((pattern) => pattern.test(path)) ? 'slow' : 'other';
}
