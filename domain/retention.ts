/**
 * How long records are kept: one table, in days. config.ts reads other periods from the environment, and
 * the sweep deletes what is older. Storage limitation: Article 5(1)(e) GDPR.
 */

/** Days. */
export interface Retention {
  /** Idempotency-Keys with their stored responses, counted from the first request. */
  readonly keys: number;
  /** Events of settled orders that every subscription has passed, and the webhook attempts on them. */
  readonly events: number;
  /** Messages from providers, counted from their processing, and batches of the warehouse feed. */
  readonly messages: number;
  /**
   * Closed dead letters and failed attempts at steps, of orders and refunds that are settled; bulk
   * redrives; ended reconciliations whose discrepancies are resolved.
   */
  readonly failures: number;
  /** Ended jobs with what they were given and what they wrote: reports, imports, bulk actions. */
  readonly jobs: number;
  /** Personal data of settled orders, counted from their last change. Null: until erased on request. */
  readonly personalData: number | null;
}

export const DEFAULT_RETENTION = {
  keys: 30,
  events: 90,
  messages: 180,
  failures: 180,
  jobs: 30,
  personalData: null,
} as const satisfies Retention;

/** Expired quotes, counted from their expiry: no call is repeated with one that old. */
export const QUOTE_RETENTION_DAYS = 1;

/**
 * No period of these is shorter. Stripe resends events for up to 30 days (https://docs.stripe.com/webhooks), a
 * client may repeat a request under its Idempotency-Key as long, and the invariants compare as many days.
 */
export const LEAST_RETENTION_DAYS = 30;
