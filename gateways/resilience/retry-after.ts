/** The header Retry-After of a response. */

/** A longer one is cut to this. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** Retry-After in ms: a number of seconds or an HTTP date (RFC 9110, 10.2.3). Null: missing or invalid. */
export function retryAfterOf(value: string | undefined, now = new Date()): number | null {
  if (value === undefined) return null;
  const seconds = /^\d{1,10}$/.test(value);
  // A date begins with the day's name; Date.parse alone takes "-5" for one.
  if (!seconds && !/^[A-Z][a-z]{2}/.test(value)) return null;
  const waitMs = seconds ? Number(value) * 1_000 : Date.parse(value) - now.getTime();
  if (!Number.isFinite(waitMs)) return null;
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
