/**
 * Deadlines, concurrency and breaker thresholds. One row is one guard: calls of a row share a breaker,
 * so a row has only calls that fail together. Adapters take their rows as a parameter, with these as
 * the default.
 */
import type { CallLimits } from './guard.ts';

type ProviderLimits = ReturnType<typeof createLimits>;
export type PaymentLimits = ProviderLimits['payments'];
export type WarehouseLimits = ProviderLimits['warehouse'];
export type MailLimits = ProviderLimits['mail'];

/** A provider that is down is probed once a minute. */
const HALF_OPEN_AFTER_MS = 60_000;

/** `halfOpenAfterMs` is how long an open breaker waits before it lets one call probe. */
export function createLimits(halfOpenAfterMs = HALF_OPEN_AFTER_MS) {
  const limits = (values: Omit<CallLimits, 'halfOpenAfterMs'>): CallLimits => ({
    ...values,
    halfOpenAfterMs,
  });
  return {
    payments: {
      /** A shopper waits: 2 s is ten times the usual 200 ms. 64 at once are 320 orders per second. */
      authorize: limits({ deadlineMs: 2_000, maxConcurrent: 64, maxQueued: 256, breakAfter: 5 }),
      /** By order id. The same shopper still waits, after an authorization without a response. */
      find: limits({ deadlineMs: 1_000, maxConcurrent: 16, maxQueued: 32, breakAfter: 5 }),
      /** By reference, from durable work only; a provider that cannot settle does not open it. */
      lookup: limits({ deadlineMs: 5_000, maxConcurrent: 16, maxQueued: 64, breakAfter: 5 }),
      /** Capture, void, refund: no shopper waits, and a late response saves a look-up. */
      settle: limits({ deadlineMs: 10_000, maxConcurrent: 32, maxQueued: 128, breakAfter: 5 }),
    },
    warehouse: {
      /** Reserve and release: small writes on one resource, done in well under a second. */
      reserve: limits({ deadlineMs: 5_000, maxConcurrent: 32, maxQueued: 128, breakAfter: 5 }),
      /** Ship and cancel: only accepted here; a later callback reports the parcel. */
      ship: limits({ deadlineMs: 5_000, maxConcurrent: 32, maxQueued: 128, breakAfter: 5 }),
      /** Reads, also for the order page: separate from the writes, with a shorter deadline. */
      lookup: limits({ deadlineMs: 2_000, maxConcurrent: 16, maxQueued: 64, breakAfter: 5 }),
    },
    mail: {
      /** SMTP takes 1-5 s. Servers limit connections per sender: four, pooled. */
      send: limits({ deadlineMs: 10_000, maxConcurrent: 4, maxQueued: 256, breakAfter: 5 }),
    },
  };
}

export const {
  payments: PAYMENT_LIMITS,
  warehouse: WAREHOUSE_LIMITS,
  mail: MAIL_LIMITS,
} = createLimits();
