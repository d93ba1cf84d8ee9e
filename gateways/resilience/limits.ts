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
export type SmsLimits = ProviderLimits['sms'];

/** What a deployment may change. */
export interface LimitSettings {
  /** How long an open breaker waits before it lets one call probe. */
  readonly probeAfterMs: number;
  readonly breakWindowMs: number;
  readonly breakAfter: number;
  readonly breakRate: number;
  readonly authorizeDeadlineMs: number;
}

/**
 * A provider that is down is probed once a minute. Five slow cards say nothing about it; when ten calls
 * of half a minute ended and most of them failed, it is the provider.
 */
const DEFAULTS: LimitSettings = {
  probeAfterMs: 60_000,
  breakWindowMs: 30_000,
  breakAfter: 10,
  breakRate: 0.5,
  /** A shopper waits: ten times the usual 200 ms. */
  authorizeDeadlineMs: 2_000,
};

export function createLimits(settings: Partial<LimitSettings> = {}) {
  const { probeAfterMs, authorizeDeadlineMs, ...breaker } = { ...DEFAULTS, ...settings };
  const limits = (deadlineMs: number, maxConcurrent: number, maxQueued: number): CallLimits => ({
    deadlineMs,
    maxConcurrent,
    maxQueued,
    ...breaker,
    halfOpenAfterMs: probeAfterMs,
  });
  return {
    payments: {
      /** 64 at once are 320 orders per second. */
      authorize: limits(authorizeDeadlineMs, 64, 256),
      /** By order id. The same shopper still waits, after an authorization without a response. */
      find: limits(1_000, 16, 32),
      /** By reference, from durable work only; a provider that cannot settle does not open it. */
      lookup: limits(5_000, 16, 64),
      /** Capture, void, refund: no shopper waits, and a late response saves a look-up. */
      settle: limits(10_000, 32, 128),
    },
    warehouse: {
      /** Reserve and release: small writes on one resource, done in well under a second. */
      reserve: limits(5_000, 32, 128),
      /** Ship and cancel: only accepted here; a later callback reports the parcel. */
      ship: limits(5_000, 32, 128),
      /** Reads, also for the order page: separate from the writes, with a shorter deadline. */
      lookup: limits(2_000, 16, 64),
    },
    mail: {
      /**
       * SMTP takes 1-5 s. Some servers scan a mail before they confirm it: sent again meanwhile, it
       * arrives twice. RFC 5321, 4.5.3.2.6, allows them ten minutes, but the steps of all orders share
       * the places in which mails wait. Servers limit connections: four, pooled. So ten calls may take
       * two windows.
       */
      send: { ...limits(20_000, 4, 64), breakWindowMs: 2 * breaker.breakWindowMs },
    },
    sms: {
      /** One after the other, so together below the 15 s of an attempt. A long list may be slow. */
      lookup: limits(5_000, 8, 64),
      /** Twilio queues the message and answers in well under a second. */
      send: limits(8_000, 8, 64),
    },
  };
}

export const {
  payments: PAYMENT_LIMITS,
  warehouse: WAREHOUSE_LIMITS,
  mail: MAIL_LIMITS,
  sms: SMS_LIMITS,
} = createLimits();
