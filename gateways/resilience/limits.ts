/**
 * The one table of deadlines, concurrency and breaker thresholds. One row is one guard: calls that
 * share a row break together, so a row holds only calls that fail together. Adapters take their
 * part as a parameter, with this as the default.
 */
import type { CallLimits } from './guard.ts';

export interface PaymentLimits {
  readonly authorize: CallLimits;
  readonly find: CallLimits;
  readonly lookup: CallLimits;
  readonly settle: CallLimits;
}

export interface WarehouseLimits {
  readonly reserve: CallLimits;
  readonly ship: CallLimits;
  readonly lookup: CallLimits;
}

export interface MailLimits {
  readonly send: CallLimits;
}

export interface ProviderLimits {
  readonly payments: PaymentLimits;
  readonly warehouse: WarehouseLimits;
  readonly mail: MailLimits;
}

/** A provider that is down is tried again once a minute (design: "probes after 60 s"). */
const HALF_OPEN_AFTER_MS = 60_000;

/** The table. `halfOpenAfterMs` is how long an open breaker waits before one call may probe. */
export function createLimits(halfOpenAfterMs = HALF_OPEN_AFTER_MS): ProviderLimits {
  const limits = (values: Omit<CallLimits, 'halfOpenAfterMs'>): CallLimits => ({
    ...values,
    halfOpenAfterMs,
  });
  return {
    payments: {
      /** A shopper waits: 2 s is ten times the usual 200 ms. 64 at once is 320 orders a second. */
      authorize: limits({ deadlineMs: 2_000, maxConcurrent: 64, maxQueued: 256, breakAfter: 5 }),
      /** By order id. The same shopper still waits, after an authorization that got no answer. */
      find: limits({ deadlineMs: 1_000, maxConcurrent: 16, maxQueued: 32, breakAfter: 5 }),
      /** By reference. Only durable work asks; never broken by a provider that cannot settle. */
      lookup: limits({ deadlineMs: 5_000, maxConcurrent: 16, maxQueued: 64, breakAfter: 5 }),
      /** Capture, void, refund: nobody waits, and an answer spares a look-up, so we wait for it. */
      settle: limits({ deadlineMs: 10_000, maxConcurrent: 32, maxQueued: 128, breakAfter: 5 }),
    },
    warehouse: {
      /** Reserve and release: small writes on one resource, answered in well under a second. */
      reserve: limits({ deadlineMs: 5_000, maxConcurrent: 32, maxQueued: 128, breakAfter: 5 }),
      /** Ship and cancel: only accepted here, the parcel's fate comes later by callback. */
      ship: limits({ deadlineMs: 5_000, maxConcurrent: 32, maxQueued: 128, breakAfter: 5 }),
      /** Reads, also for the order page, so kept apart from the writes and given up sooner. */
      lookup: limits({ deadlineMs: 2_000, maxConcurrent: 16, maxQueued: 64, breakAfter: 5 }),
    },
    mail: {
      /** SMTP takes 1-5 s. Servers dislike many connections from one sender: four, pooled. */
      send: limits({ deadlineMs: 10_000, maxConcurrent: 4, maxQueued: 256, breakAfter: 5 }),
    },
  };
}

export const {
  payments: PAYMENT_LIMITS,
  warehouse: WAREHOUSE_LIMITS,
  mail: MAIL_LIMITS,
} = createLimits();
